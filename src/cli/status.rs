use super::context::Context;
pub(super) fn run<T>(_: &Context, _: &T) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
