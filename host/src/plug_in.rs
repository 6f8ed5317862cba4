//! A component and its plug-ins, made one component, as Spin makes one of a component and its
//! dependencies.
//!
//! Does not: run anything, or give a plug-in what the manifest grants the component.
//! Invariant: a plug-in imports no network, no files, no stores, no variables: a file that wants
//! any is refused when it is loaded. What is left are clocks, randomness, and standard output, which
//! is the log.

use std::path::PathBuf;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// What a plug-in may import, by how it begins.
const OPEN: &[&str] = &["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/"];

/// A plug-in of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlugIn {
    /// The interface that the component imports and the plug-in exports.
    pub interface: String,
    /// The plug-in's file.
    pub path: PathBuf,
}

/// Why a component and its plug-ins do not go together.
#[derive(Debug, thiserror::Error)]
pub enum PlugInError {
    /// The plug-in's file is not there.
    #[error("the plug-in {path} cannot be read: {source}; build it first, or set its path in the manifest")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// One of the files is no component.
    #[error("{what} is no WebAssembly component: {message}")]
    NotAComponent {
        /// Which.
        what: String,
        /// The reader's words.
        message: String,
    },
    /// The plug-in wants what no plug-in gets.
    #[error(
        "the plug-in {path} imports `{import}`, and a plug-in gets no network, files, stores or variables; \
         docs/plug-ins.md says how to build one without"
    )]
    Import {
        /// The file.
        path: PathBuf,
        /// What it wants.
        import: String,
    },
    /// The plug-in is none for this interface.
    #[error("the plug-in {path} exports no `{interface}`; it exports {exports}")]
    Export {
        /// The file.
        path: PathBuf,
        /// What it should.
        interface: String,
        /// What it does.
        exports: String,
    },
    /// The component asks nothing of this interface, or the two differ in its shape.
    #[error("`{interface}` does not fit: {message}")]
    Shape {
        /// The interface.
        interface: String,
        /// What differs.
        message: String,
    },
}

/// Makes one component of `component` and its plug-ins.
///
/// # Errors
/// [`PlugInError`], naming the file.
pub fn compose(component: Vec<u8>, plug_ins: &[PlugIn]) -> Result<Vec<u8>, PlugInError> {
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "component", component)?;
    let instance = graph.instantiate(socket);
    for (number, plug_in) in plug_ins.iter().enumerate() {
        let export = export_of(&mut graph, number, plug_in)?;
        graph
            .set_instantiation_argument(instance, &plug_in.interface, export)
            .map_err(|error| shape(&plug_in.interface, &error))?;
    }
    let exports: Vec<String> = graph.types()[graph[socket].ty()].exports.keys().cloned().collect();
    for name in exports {
        let export = graph.alias_instance_export(instance, &name).map_err(|error| shape(&name, &error))?;
        graph.export(export, &name).map_err(|error| shape(&name, &error))?;
    }
    graph.encode(EncodeOptions::default()).map_err(|error| shape("the composition", &error))
}

/// The plug-in's side of its interface, in the graph.
fn export_of(graph: &mut CompositionGraph, number: usize, plug_in: &PlugIn) -> Result<NodeId, PlugInError> {
    let path = || plug_in.path.clone();
    let bytes =
        std::fs::read(&plug_in.path).map_err(|source| PlugInError::Missing { path: path(), source })?;
    let package = register(graph, &format!("plug-in-{number}"), bytes)
        .map_err(|error| error.named(&plug_in.path.display().to_string()))?;
    let world = &graph.types()[graph[package].ty()];
    let is_open = |import: &String| OPEN.iter().any(|open| import.starts_with(open));
    if let Some(import) = world.imports.keys().find(|import| !is_open(import)) {
        return Err(PlugInError::Import { path: path(), import: import.clone() });
    }
    if !world.exports.contains_key(&plug_in.interface) {
        let names: Vec<&str> = world.exports.keys().map(String::as_str).collect();
        let (interface, exports) = (plug_in.interface.clone(), names.join(", "));
        return Err(PlugInError::Export { path: path(), interface, exports });
    }
    let instance = graph.instantiate(package);
    graph
        .alias_instance_export(instance, &plug_in.interface)
        .map_err(|error| shape(&plug_in.interface, &error))
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> Result<PackageId, PlugInError> {
    let failed = |message: String| PlugInError::NotAComponent { what: "the component".to_owned(), message };
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())
        .map_err(|error| failed(format!("{error:#}")))?;
    graph.register_package(package).map_err(|error| failed(error.to_string()))
}

fn shape(interface: &str, error: &dyn std::error::Error) -> PlugInError {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    PlugInError::Shape { interface: interface.to_owned(), message: format!("{error}{source}") }
}

impl PlugInError {
    fn named(self, name: &str) -> Self {
        match self {
            Self::NotAComponent { message, .. } => Self::NotAComponent { what: name.to_owned(), message },
            other => other,
        }
    }
}
