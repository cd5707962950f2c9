//! A tree of lines, drawn as systemctl(1) draws the dependencies of a unit.
//! Pure; what stands in a node comes ready, styles included.

/// A line with what hangs below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The line.
    pub text: String,
    /// What it rests on.
    pub below: Vec<Node>,
}

impl Node {
    /// A line with these below it.
    pub fn new(text: impl Into<String>, below: Vec<Node>) -> Self {
        Self { text: text.into(), below }
    }
}

/// Draws a tree, each line behind this much space.
pub fn draw(node: &Node, indent: &str) -> String {
    let mut out = format!("{indent}{}\n", node.text);
    draw_below(&node.below, indent, &mut out);
    out
}

fn draw_below(nodes: &[Node], indent: &str, out: &mut String) {
    for (at, node) in nodes.iter().enumerate() {
        let (branch, space) = if at + 1 == nodes.len() { ("└─", "  ") } else { ("├─", "│ ") };
        out.push_str(&format!("{indent}{branch}{}\n", node.text));
        draw_below(&node.below, &format!("{indent}{space}"), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_reach_their_lines() {
        let tree = Node::new("a", vec![Node::new("b", vec![Node::new("c", vec![])]), Node::new("d", vec![])]);
        assert_eq!(draw(&tree, " "), " a\n ├─b\n │ └─c\n └─d\n");
    }
}
