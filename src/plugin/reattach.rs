//! Being started by a person, for a debugger or a test, and used by hosts that did not start us.

use serde_json::json;

use super::handshake::PROTOCOL_VERSION;
use super::listener::Address;

/// The provider as configurations name it. Without a host part each client adds its own registry.
const SOURCE: &str = "rdsaccess/rdsaccess";

/// What to tell the person: the variable that makes hosts connect here instead of starting a process of their own.
pub(super) fn instructions(address: &Address, pid: u32) -> String {
    let reattach = json!({
        SOURCE: {
            "Protocol": "grpc",
            // Absent means 5 to the host
            "ProtocolVersion": PROTOCOL_VERSION,
            "Pid": pid,
            // Tells the host not to end this process; Terraform crashes on false
            "Test": true,
            "Addr": { "Network": address.network(), "String": address.place() },
        }
    });
    // Inside single quotes only a single quote needs care
    let reattach = reattach.to_string().replace('\'', r"'\''");
    format!(
        "The provider {SOURCE} is running. Let Terraform or OpenTofu use it by setting this variable in their \
         environment; end it with Ctrl-C.\n\n\tTF_REATTACH_PROVIDERS='{reattach}'\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_one_line_that_a_shell_takes() {
        let text = instructions(&Address::Unix("/tmp/it's/plugin.sock".into()), 42);
        let line = text.lines().find(|line| line.contains("TF_REATTACH_PROVIDERS")).unwrap();
        let value = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='").unwrap().strip_suffix('\'').unwrap();
        let json: serde_json::Value = serde_json::from_str(&value.replace(r"'\''", "'")).unwrap();
        let provider = &json["rdsaccess/rdsaccess"];
        assert_eq!(provider["Addr"]["String"], "/tmp/it's/plugin.sock");
        assert_eq!(provider["Addr"]["Network"], "unix");
        assert_eq!(provider["ProtocolVersion"], 6);
        assert_eq!(provider["Test"], true);
        assert_eq!(provider["Pid"], 42);
    }
}
