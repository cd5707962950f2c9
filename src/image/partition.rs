//! The partitions of a disk with a root file system, and their types for each machine.
//! It lays nothing out: `disk` does.
//! Rules: the Discoverable Partitions Specification (UAPI.2), "Defined Partition Type UUIDs".

/// What machines the root is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit LoongArch.
    Loong64,
    /// 64-bit POWER, little-endian.
    Ppc64le,
    /// IBM Z.
    S390x,
}

/// The machines, by the name that images of containers have for them (Go's `GOARCH`).
const MACHINES: [(&str, Machine); 8] = [
    ("amd64", Machine::X86_64),
    ("386", Machine::X86),
    ("arm64", Machine::Arm64),
    ("arm", Machine::Arm),
    ("riscv64", Machine::Riscv64),
    ("loong64", Machine::Loong64),
    ("ppc64le", Machine::Ppc64le),
    ("s390x", Machine::S390x),
];

impl Machine {
    /// The machine of this architecture, as an image's platform names it; the error is a sentence.
    pub fn of(architecture: &str) -> Result<Self, String> {
        let known = MACHINES.iter().find(|(name, _)| *name == architecture);
        known.map(|(_, machine)| *machine).ok_or_else(|| {
            let names: Vec<&str> = MACHINES.iter().map(|(name, _)| *name).collect();
            format!("there is no partition type for a root of {architecture:?}; there is for {}", names.join(", "))
        })
    }

    /// The types of the partitions of root, tree and signature (UAPI.2, "Defined Partition Type UUIDs").
    fn kinds(self) -> [u128; 3] {
        match self {
            Self::X86_64 => [
                0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709,
                0x2c73_57ed_ebd2_46d9_aec1_23d4_37ec_2bf5,
                0x4109_2b05_9fc8_4523_994f_2def_0408_b176,
            ],
            Self::X86 => [
                0x4447_9540_f297_41b2_9af7_d131_d5f0_458a,
                0xd13c_5d3b_b5d1_422a_b29f_9454_fdc8_9d76,
                0x5996_fc05_109c_48de_808b_23fa_0830_b676,
            ],
            Self::Arm64 => [
                0xb921_b045_1df0_41c3_af44_4c6f_280d_3fae,
                0xdf33_00ce_d69f_4c92_978c_9bfb_0f38_d820,
                0x6db6_9de6_29f4_4758_a7a5_9621_90f0_0ce3,
            ],
            Self::Arm => [
                0x69da_d710_2ce4_4e3c_b16c_21a1_d49a_bed3,
                0x7386_cdf2_203c_47a9_a498_f2ec_ce45_a2d6,
                0x42b0_455f_eb11_491d_98d3_5614_5ba9_d037,
            ],
            Self::Riscv64 => [
                0x72ec_70a6_cf74_40e6_bd49_4bda_08e8_f224,
                0xb6ed_5582_440b_4209_b8da_5ff7_c419_ea3d,
                0xefe0_f087_ea8d_4469_821a_4c2a_96a8_386a,
            ],
            Self::Loong64 => [
                0x7705_5800_792c_4f94_b39a_98c9_1b76_2bb6,
                0xf339_3b22_e9af_4613_a948_9d3b_fbd0_c535,
                0x5afb_67eb_ecc8_4f85_ae8e_ac1e_7c50_e7d0,
            ],
            Self::Ppc64le => [
                0xc31c_45e6_3f39_412e_80fb_4809_c498_0599,
                0x906b_d944_4589_4aae_a4e4_dd98_3917_446a,
                0xd4a2_36e7_e873_4c07_bf1d_bf6c_f7f1_c3c6,
            ],
            Self::S390x => [
                0x5eea_d9a9_fe09_4a1e_a1d7_520d_0053_1306,
                0xb325_bfbe_c7be_4ab8_8357_139e_652d_2f6b,
                0xc801_87a5_73a3_491a_901a_017c_3fa9_53e9,
            ],
        }
    }
}

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// The file system.
    Root,
    /// Its hash tree.
    Tree,
    /// The signature of its root hash, as JSON.
    Signature,
}

impl Partition {
    pub(super) fn kind(self, machine: Machine) -> u128 {
        let [root, tree, signature] = machine.kinds();
        match self {
            Self::Root => root,
            Self::Tree => tree,
            Self::Signature => signature,
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Tree => "root-verity",
            Self::Signature => "root-verity-sig",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_those_of_images() {
        assert_eq!(Machine::of("amd64"), Ok(Machine::X86_64));
        assert!(Machine::of("mips").expect_err("none").contains("there is for amd64, 386, arm64"));
        let mut kinds: Vec<u128> = MACHINES.iter().flat_map(|(_, machine)| machine.kinds()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 3 * MACHINES.len());
    }
}
