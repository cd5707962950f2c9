//! An app's file, written from what a container image says of itself.
//! It reads no image: the configuration comes in as bytes. What cannot be taken over as it is becomes a comment.
//! Source: the OCI image configuration specification; the keys are veneer.app(5)'s.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What an image's configuration says of how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole {
    config: Option<RunConfig>,
}

impl RunConfig {
    /// Reads a configuration; the error is a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let whole: Whole = serde_json::from_slice(bytes).map_err(|error| format!("the configuration: {error}"))?;
        Ok(whole.config.unwrap_or_default())
    }

    /// The text of an app's file.
    pub fn to_app_file(&self, origin: &str) -> String {
        let mut text =
            String::from("# Written by `veneer image import` from what the container image says of itself.\n");
        text.push_str("# Keys: veneer.app(5). What is commented out is for you to decide.\n");
        self.about(&mut text);
        line(&mut text, format_args!("\n[image]\noci = {}\n", quoted(origin)));
        self.writable(&mut text);
        line(&mut text, format_args!("\n[service]\n"));
        self.exec(&mut text);
        self.user(&mut text);
        self.ports(&mut text);
        self.environment(&mut text);
        self.directives(&mut text);
        text
    }

    fn label(&self, key: &str) -> Option<&str> {
        let value = self.labels.as_ref()?.get(&format!("org.opencontainers.image.{key}"))?;
        Some(value.as_str()).filter(|value| !value.is_empty() && !value.contains(char::is_control))
    }

    fn about(&self, text: &mut String) {
        if let Some(title) = self.label("title").or_else(|| self.label("description")) {
            line(text, format_args!("\n[app]\ndescription = {}\n", quoted(title)));
        }
    }

    fn exec(&self, text: &mut String) {
        let words: Vec<&String> = self.entrypoint.iter().flatten().chain(self.cmd.iter().flatten()).collect();
        let list: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        match words.first() {
            None => text.push_str("# The image says of no program that it is to be run.\nexec = [\"/bin/sh\"]\n"),
            Some(first) if first.starts_with('/') => line(text, format_args!("exec = [{}]\n", list.join(", "))),
            Some(first) => {
                line(
                    text,
                    format_args!("# {} is searched in the image's PATH; a full path is quicker.\n", quoted(first)),
                );
                line(text, format_args!("exec = [\"/usr/bin/env\", {}]\n", list.join(", ")));
            }
        }
    }

    fn user(&self, text: &mut String) {
        match self.user.as_deref().unwrap_or_default() {
            "" | "root" | "0" | "0:0" => {
                text.push_str(
                    "# The image runs as root. Here it has a user of its own; what needs more rights says so:\n",
                );
                text.push_str("# profile = \"trusted\"\n# user = \"root\"\n");
            }
            user => {
                line(
                    text,
                    format_args!(
                        "# The image runs as {} of its own; here it has a dynamic user, or one of the host:\n",
                        quoted(user)
                    ),
                );
                text.push_str("# user = \"NAME\"\n");
            }
        }
    }

    fn ports(&self, text: &mut String) {
        let ports: Vec<&str> = self.exposed_ports.iter().flatten().map(|(port, _)| port.as_str()).collect();
        if !ports.is_empty() {
            line(
                text,
                format_args!("# The image listens on {}, on the host's own network.\n", quoted(&ports.join(", "))),
            );
        }
        let low = |port: &&str| {
            port.split('/').next().and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port < 1024)
        };
        if ports.iter().any(low) {
            text.push_str("# Ports below 1024 want this under [service.directives], and profile = \"default\":\n");
            text.push_str("# AmbientCapabilities = \"CAP_NET_BIND_SERVICE\"\n");
        }
    }

    fn writable(&self, text: &mut String) {
        let paths: Vec<String> = self.volumes.iter().flatten().map(|(path, _)| quoted(path)).collect();
        if paths.is_empty() {
            return;
        }
        text.push_str("\n# The image keeps data here. \"volatile\" forgets it when the app is stopped.\n");
        line(text, format_args!("[overlay]\nmode = \"persistent\"\nwritable = [{}]\n", paths.join(", ")));
    }

    fn environment(&self, text: &mut String) {
        let (mut good, mut odd) = (Vec::new(), Vec::new());
        for variable in self.env.iter().flatten() {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            let is_name = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if is_name && !value.contains(char::is_control) { good.push((name, value)) } else { odd.push(variable) }
        }
        if !good.is_empty() {
            text.push_str("\n[service.environment]\n");
        }
        for (name, value) in good {
            line(text, format_args!("{name} = {}\n", quoted(value)));
        }
        for variable in odd {
            line(text, format_args!("# not taken over: {}\n", quoted(variable)));
        }
    }

    fn directives(&self, text: &mut String) {
        let dir = self.working_dir.as_deref().unwrap_or_default();
        if dir.starts_with('/') && dir != "/" {
            line(text, format_args!("\n[service.directives]\nWorkingDirectory = {}\n", quoted(dir)));
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

/// A basic string of TOML; on one line, so it may stand in a comment.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => line(&mut out, format_args!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigText, Dir, File, Host, load_app};

    fn file(config: &str) -> String {
        let config = format!(r#"{{"config":{config}}}"#);
        RunConfig::parse(config.as_bytes()).expect("good").to_app_file("docker://r.example/a:1")
    }

    /// Whatever an image says, the file that comes of it is an app.
    fn loads(text: &str) -> crate::app::App {
        let apps = vec![("a".into(), File::new("/etc/veneer/apps.d/a.toml", text))];
        let config = ConfigText::from_dirs(vec![Dir { apps, ..Dir::default() }]);
        let (host, _) = Host::load(&config);
        load_app(&config.apps[0], &host).unwrap_or_else(|problems| panic!("{text}\n{problems:?}")).app
    }

    #[test]
    fn what_an_image_says_becomes_an_app() {
        let text = file(
            r#"{"Entrypoint":["/bin/httpd"],"Cmd":["-f","-p","80"],"Env":["PATH=/bin","A B=1","X=a\nb","N=\"q\""],
                "WorkingDir":"/srv","User":"1000:1000","ExposedPorts":{"80/tcp":{}},"Volumes":{"/data":{}},
                "Labels":{"org.opencontainers.image.title":"Hello"}}"#,
        );
        let app = loads(&text);
        let exec: Vec<&str> = app.service.exec.iter().map(|arg| arg.as_str()).collect();
        assert_eq!(exec, ["/bin/httpd", "-f", "-p", "80"]);
        assert_eq!(app.overlay.writable.iter().map(|path| path.as_str()).collect::<Vec<_>>(), ["/data"]);
        assert_eq!((app.service.environment.len(), app.service.directives.len()), (2, 1));
        assert!(app.description.is_some());
        for said in
            ["# not taken over: \"A B=1\"", "listens on \"80/tcp\"", "runs as \"1000:1000\"", "CAP_NET_BIND_SERVICE"]
        {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }

    #[test]
    fn an_image_that_says_nothing_gives_an_app_as_well() {
        for config in ["{}", "null", r#"{"Entrypoint":null,"Env":null,"User":"root","Cmd":["sh","-c","x\ny"]}"#] {
            let text = file(config);
            assert!(config.contains("x\\ny") || !loads(&text).service.exec.is_empty());
        }
        assert!(RunConfig::parse(b"[").is_err());
    }
}
