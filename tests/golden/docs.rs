//! The registry's pages are those that the declarations give.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rdsaccess::provider::{ProviderModel, Rdsaccess, Variables};
use rdsaccess::schema::docs::{Import, Page, PageKind, function_page, page};
use rdsaccess::schema::{Model, Provider};

use crate::switch::{compare, root};

/// Reads an example; without one there is no page.
fn example(path: &str) -> String {
    let path = root().join("examples").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}: every object needs one", path.display()))
}

fn short(name: &str) -> &str {
    name.strip_prefix("rdsaccess_").expect("names begin with the provider's")
}

/// Every page, as path and text.
fn pages() -> Vec<(PathBuf, String)> {
    let provider = Rdsaccess::new(Variables::default());
    let docs = root().join("docs");
    let attributes = ProviderModel::attributes();
    let mut pages = vec![(
        docs.join("index.md"),
        page(&Page {
            kind: PageKind::Provider,
            name: "rdsaccess",
            subcategory: "",
            doc: ProviderModel::DOC,
            attributes: &attributes,
            example: &example("provider/provider.tf"),
            import: None,
            limits: None,
        }),
    )];
    for resource in provider.resources() {
        let (attributes, identity) = (resource.attributes(), resource.identity_attributes());
        let folder = format!("resources/{}", resource.name());
        let import_example = example(&format!("{folder}/import.txt"));
        let text = page(&Page {
            kind: PageKind::Resource,
            name: resource.name(),
            subcategory: resource.subcategory(),
            doc: resource.doc(),
            attributes: &attributes,
            example: &example(&format!("{folder}/resource.tf")),
            import: Some(Import {
                id: resource.import_words(),
                note: resource.import_note(),
                example: import_example.trim(),
                identity: &identity,
            }),
            limits: Some(resource.limits()),
        });
        pages.push((docs.join(format!("resources/{}.md", short(resource.name()))), text));
    }
    for data_source in provider.data_sources() {
        let text = page(&Page {
            kind: PageKind::DataSource,
            name: data_source.name(),
            subcategory: data_source.subcategory(),
            doc: data_source.doc(),
            attributes: &data_source.attributes(),
            example: &example(&format!("data-sources/{}/data-source.tf", data_source.name())),
            import: None,
            limits: None,
        });
        let text = format!("{text}{}", data_source.appendix());
        pages.push((docs.join(format!("data-sources/{}.md", short(data_source.name()))), text));
    }
    for ephemeral in provider.ephemerals() {
        let text = page(&Page {
            kind: PageKind::Ephemeral,
            name: ephemeral.name(),
            subcategory: ephemeral.subcategory(),
            doc: ephemeral.doc(),
            attributes: &ephemeral.attributes(),
            example: &example(&format!("ephemeral-resources/{}/ephemeral-resource.tf", ephemeral.name())),
            import: None,
            limits: None,
        });
        pages.push((docs.join(format!("ephemeral-resources/{}.md", short(ephemeral.name()))), text));
    }
    for function in provider.functions() {
        let text = function_page(&function, &example(&format!("functions/{}/function.tf", function.name)));
        pages.push((docs.join(format!("functions/{}.md", function.name)), text));
    }
    pages
}

#[test]
fn the_pages_are_current() {
    let stale: Vec<String> = pages().iter().filter_map(|(path, text)| compare(path, text).err()).collect();
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn no_page_is_left_of_an_object_that_is_gone() {
    let known: BTreeSet<PathBuf> = pages().into_iter().map(|(path, _)| path).collect();
    let mut found = Vec::new();
    for folder in ["resources", "data-sources", "ephemeral-resources", "functions"] {
        markdown(&root().join("docs").join(folder), &mut found);
    }
    let stale: Vec<&PathBuf> = found.iter().filter(|path| !known.contains(*path)).collect();
    assert!(stale.is_empty(), "{stale:?}");
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        found.push(entry.unwrap().path());
    }
}

#[test]
fn every_attribute_is_documented() {
    let provider = Rdsaccess::new(Variables::default());
    let mut silent = Vec::new();
    let mut look = |name: &str, attributes: &[rdsaccess::schema::Attribute]| {
        for attribute in attributes {
            silent.extend(attribute.doc.is_empty().then(|| format!("{name}.{}", attribute.name)));
            silent.extend(
                attribute
                    .nested()
                    .iter()
                    .filter(|a| a.doc.is_empty())
                    .map(|a| format!("{name}.{}.{}", attribute.name, a.name)),
            );
        }
    };
    look("provider", &ProviderModel::attributes());
    provider.resources().iter().for_each(|r| look(r.name(), &r.attributes()));
    provider.data_sources().iter().for_each(|d| look(d.name(), &d.attributes()));
    provider.ephemerals().iter().for_each(|e| look(e.name(), &e.attributes()));
    assert!(silent.is_empty(), "{silent:?}");
}
