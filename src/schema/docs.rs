//! The registry's pages, from the same declarations as the schema.

use super::attribute::{Attribute, Nesting, Shape, join_doc};
use super::function::{Function, Parameter};
use super::resource::Limits;
use crate::value::{Type, Value};

/// What kind of object a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// The provider block
    Provider,
    /// A managed resource
    Resource,
    /// A data source
    DataSource,
    /// An ephemeral resource
    Ephemeral,
}

/// What a page is made of.
#[derive(Debug)]
pub struct Page<'a> {
    /// Kind of object
    pub kind: PageKind,
    /// Full name
    pub name: &'a str,
    /// Group in the registry's menu
    pub subcategory: &'a str,
    /// What it is for, line by line
    pub doc: &'a [&'a str],
    /// The declarations
    pub attributes: &'a [Attribute],
    /// The example, HCL
    pub example: &'a str,
    /// Import of resources: the id in words, the examples by command and by identity
    pub import: Option<Import<'a>>,
    /// Default time-outs of resources
    pub limits: Option<Limits>,
}

/// How a resource is imported.
#[derive(Debug)]
pub struct Import<'a> {
    /// The id in words
    pub id: &'a str,
    /// What else there is to know, a paragraph
    pub note: &'a str,
    /// An example of the id
    pub example: &'a str,
    /// The attributes of the identity
    pub identity: &'a [Attribute],
}

/// Writes the page of an object.
pub fn page(page: &Page<'_>) -> String {
    let description = join_doc(page.doc);
    let mut out = front_matter(page.name, page.subcategory, &description);
    let title = match page.kind {
        PageKind::Provider => format!("{} Provider", page.name),
        PageKind::Resource => format!("{} (Resource)", page.name),
        PageKind::DataSource => format!("{} (Data Source)", page.name),
        PageKind::Ephemeral => format!("{} (Ephemeral Resource)", page.name),
    };
    out.push_str(&format!("# {title}\n\n{description}\n\n"));
    if page.kind == PageKind::Ephemeral {
        out.push_str("~> Ephemeral resources need Terraform 1.10 or OpenTofu 1.11, or a later version.\n\n");
    }
    out.push_str(&format!("## Example Usage\n\n```terraform\n{}\n```\n\n", page.example.trim_end()));
    out.push_str("## Schema\n");
    sections(&mut out, page.attributes, "###", "");
    if let Some(limits) = page.limits {
        out.push_str(&timeouts(limits));
    }
    if let Some(import) = &page.import {
        out.push_str(&import_section(page.name, import));
    }
    out
}

fn front_matter(name: &str, subcategory: &str, description: &str) -> String {
    let first = description.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n  ");
    format!("---\npage_title: \"{name}\"\nsubcategory: \"{subcategory}\"\ndescription: |-\n  {first}\n---\n\n")
}

/// Lists the attributes by how they are used, then the nested ones in sections of their own.
fn sections(out: &mut String, attributes: &[Attribute], heading: &str, parent: &str) {
    type Belongs = fn(&Attribute) -> bool;
    let groups: [(&str, Belongs); 3] = [
        ("Required", |a| a.flags.required),
        ("Optional", |a| a.flags.optional),
        ("Read-Only", |a| a.flags.computed && !a.flags.optional),
    ];
    for (title, belongs) in groups {
        let mut members: Vec<&Attribute> = attributes.iter().filter(|a| belongs(a)).collect();
        members.sort_by_key(|a| a.name);
        if !members.is_empty() {
            out.push_str(&format!("\n{heading} {title}\n\n"));
        }
        for attribute in members {
            out.push_str(&line(attribute, parent));
        }
    }
    for attribute in attributes.iter().filter(|a| !a.nested().is_empty()) {
        let path = nested_path(parent, attribute.name);
        let anchor = anchor(&path);
        out.push_str(&format!("\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{path}`\n"));
        sections(out, attribute.nested(), "####", &path);
    }
}

fn nested_path(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

fn line(attribute: &Attribute, parent: &str) -> String {
    let flags = &attribute.flags;
    let mut traits = vec![kind_words(attribute)];
    if flags.sensitive {
        traits.push("Sensitive".to_owned());
    }
    if flags.write_only {
        traits.push(
            "[Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)"
                .to_owned(),
        );
    }
    if flags.deprecated.is_some() {
        traits.push("Deprecated".to_owned());
    }
    let mut text = vec![attribute.doc.replace('\n', " ")];
    if !attribute.words.is_empty() {
        let words: Vec<String> = attribute.words.iter().map(|w| format!("`{w}`")).collect();
        text.push(format!("One of {}.", words.join(", ")));
    }
    text.extend(flags.checks.iter().map(|check| format!("Must be {}.", check.expected)));
    if let Some(words) = flags.default_words {
        text.push(format!("Default: {words}."));
    } else if let Some(default) = &flags.default {
        text.push(format!("Default: `{}`.", literal(default)));
    }
    if flags.replace {
        text.push("Changing it makes a new object.".to_owned());
    }
    text.extend(flags.deprecated.map(str::to_owned));
    if !attribute.nested().is_empty() {
        let anchor = anchor(&nested_path(parent, attribute.name));
        text.push(format!("(see [below for nested schema](#{anchor}))"));
    }
    format!("- `{}` ({}) {}\n", attribute.name, traits.join(", "), text.join(" "))
}

fn kind_words(attribute: &Attribute) -> String {
    match &attribute.shape {
        Shape::Plain(kind) => type_words(kind),
        Shape::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Shape::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Shape::Nested(Nesting::Set, _) => "Attributes Set".to_owned(),
        Shape::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
    }
}

fn type_words(kind: &Type) -> String {
    match kind {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", type_words(element)),
        Type::Set(element) => format!("Set of {}", type_words(element)),
        Type::Map(element) => format!("Map of {}", type_words(element)),
        Type::Tuple(_) => "Tuple".to_owned(),
        Type::Object(_) => "Object".to_owned(),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(elements) => format!("[{}]", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Set(elements) => format!("[{}]", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        _ => "null".to_owned(),
    }
}

fn timeouts(limits: Limits) -> String {
    let span = |seconds| crate::access::Span::from_seconds(seconds);
    format!(
        "\nDefault time-outs: create `{}`, read `{}`, update `{}`, delete `{}`.\n",
        span(limits.create),
        span(limits.read),
        span(limits.update),
        span(limits.delete)
    )
}

fn import_section(name: &str, import: &Import<'_>) -> String {
    let identity: Vec<String> = import
        .identity
        .iter()
        .map(|a| {
            let need = if a.flags.required { "required" } else { "optional" };
            format!("- `{}` ({}, {need}) {}\n", a.name, kind_words(a), a.doc.replace('\n', " "))
        })
        .collect();
    let note = if import.note.is_empty() { String::new() } else { format!("{}\n\n", import.note) };
    format!(
        "\n## Import\n\nThe id is {}.\n\n{note}```terraform\nimport {{\n  to = {name}.example\n  id = \"{}\"\n}}\n```\n\n```shell\nterraform \
         import {name}.example '{}'\n```\n\nFrom Terraform 1.12 an import block may name the parts as `identity` instead:\n\n{}",
        import.id,
        import.example,
        import.example,
        identity.concat()
    )
}

/// Writes the page of a function.
pub fn function_page(function: &Function, example: &str) -> String {
    let mut out = front_matter(function.name, "", function.summary);
    out.push_str(&format!("# function: {}\n\n{}\n\n", function.name, function.description));
    out.push_str("~> Provider functions need Terraform 1.8 or OpenTofu 1.7, or a later version.\n\n");
    out.push_str(&format!("## Example Usage\n\n```terraform\n{}\n```\n\n", example.trim_end()));
    let arguments: Vec<String> = function.parameters.iter().map(|p| format!("{} {}", p.name, lower(&p.kind))).collect();
    let variadic = function.variadic.as_ref().map(|p| format!("{} {}...", p.name, lower(&p.kind)));
    let signature: Vec<String> = arguments.into_iter().chain(variadic).collect();
    out.push_str(&format!(
        "## Signature\n\n```text\n{}({}) {}\n```\n\n## Arguments\n\n",
        function.name,
        signature.join(", "),
        lower(&function.returns)
    ));
    let parameter = |position: usize, p: &Parameter, note: &str| {
        format!("{}. `{}` ({}{note}) {}\n", position + 1, p.name, type_words(&p.kind), p.description)
    };
    for (position, p) in function.parameters.iter().enumerate() {
        out.push_str(&parameter(position, p, ""));
    }
    if let Some(p) = &function.variadic {
        out.push_str(&parameter(function.parameters.len(), p, ", variadic"));
    }
    out
}

fn lower(kind: &Type) -> String {
    type_words(kind).to_lowercase()
}
