//! What a document may ask for, judged before anything walks through it.
//!
//! A fragment is measured once, however often it is spread, so that a document is judged in time proportional to its text.
//! Everything behind this (validation, execution) walks through spread fragments again and again, and relies on these bounds.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};
use async_graphql_value::Value;

/// The largest text of a document.
pub(super) const MAX_QUERY_BYTES: usize = 64 * 1024;
/// Brackets of any kind within each other: parsers descend as deep.
const MAX_BRACKETS: usize = 64;
/// Fields, fragments and inline fragments within each other.
pub(super) const MAX_LEVELS: usize = 32;
/// Fields within each other.
const MAX_DEPTH: usize = 12;
/// The same where the schema itself is asked for: types of lists of lists are deep.
const MAX_INTROSPECTION_DEPTH: usize = 20;
/// Lists of the schema within each other: each multiplies the answer.
const MAX_INTROSPECTION_LISTS: usize = 3;
/// Lists of the schema all together.
const MAX_INTROSPECTED: usize = 24;
/// Fields, with those of a fragment as often as it is spread.
const MAX_FIELDS: usize = 1000;
/// Fields of the root, each of which is a call, whatever alias it has.
const MAX_CALLS: usize = 16;
/// Directives, wherever they stand.
const MAX_DIRECTIVES: usize = 64;
/// Variables of an operation.
const MAX_VARIABLES: usize = 64;
/// What all mentions of variables stand for together: a large one may be mentioned again and again.
const MAX_VARIABLE_BYTES: usize = 4 * 1024 * 1024;

/// The lists of the schema that ask for more of it.
const SCHEMA_LISTS: [&str; 8] =
    ["args", "directives", "enumValues", "fields", "inputFields", "interfaces", "possibleTypes", "types"];

/// What an operation needs to know of a document within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) ty: OperationType,
    /// Whether the schema itself is asked for.
    pub(super) introspects: bool,
}

/// Whether a text may be parsed at all.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(format!("the document is larger than {MAX_QUERY_BYTES} bytes"));
    }
    // Brackets in strings and comments count as well: nobody needs so many of them.
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    if deepest > MAX_BRACKETS {
        return Err(format!("brackets stand within each other more than {MAX_BRACKETS} deep"));
    }
    Ok(())
}

/// Measures the operation of a name, or the only one; none where there is no such operation. All others must be within bounds too.
pub(super) fn measure(
    document: &ExecutableDocument,
    name: Option<&str>,
    variables: &Variables,
) -> Result<Option<Measured>, String> {
    let mut meter = Meter { document, fragments: HashMap::new(), mentions: Mentions::of(variables), directives: 0 };
    for fragment in document.fragments.values() {
        meter.directives(&fragment.node.directives)?;
    }
    let mut measured = None;
    let mut fields = 0_usize;
    for (operation, definition) in document.operations.iter() {
        let cost = meter.operation(&definition.node)?;
        fields = fields.saturating_add(cost.fields);
        let is_meant = name.is_none_or(|name| operation.is_some_and(|operation| operation == name));
        if is_meant {
            measured = Some(Measured { ty: definition.node.ty, introspects: cost.introspects });
        }
    }
    // What is not spread is validated all the same.
    for name in document.fragments.keys() {
        fields = fields.saturating_add(meter.fragment(name, 0)?.own);
    }
    if fields > MAX_FIELDS {
        return Err(format!("the document asks for more than {MAX_FIELDS} fields"));
    }
    Ok(measured)
}

/// What a selection costs, with all that is spread into it.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Fields and spreads.
    fields: usize,
    /// The same without what is spread.
    own: usize,
    /// Fields at the top.
    calls: usize,
    depth: usize,
    levels: usize,
    introspects: bool,
    schema_lists: usize,
    schema_list_depth: usize,
}

impl Cost {
    fn beside(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.own = self.own.saturating_add(other.own);
        self.calls = self.calls.saturating_add(other.calls);
        self.depth = self.depth.max(other.depth);
        self.levels = self.levels.max(other.levels);
        self.introspects |= other.introspects;
        self.schema_lists = self.schema_lists.saturating_add(other.schema_lists);
        self.schema_list_depth = self.schema_list_depth.max(other.schema_list_depth);
    }

    /// The cost of a field with this selection.
    fn of_field(self, name: &str) -> Self {
        let is_list = usize::from(SCHEMA_LISTS.contains(&name));
        Self {
            fields: self.fields.saturating_add(1),
            own: self.own.saturating_add(1),
            calls: 1,
            depth: self.depth + 1,
            levels: self.levels + 1,
            introspects: name == "__schema" || name == "__type",
            schema_lists: self.schema_lists.saturating_add(is_list),
            schema_list_depth: self.schema_list_depth + is_list,
        }
    }
}

struct Meter<'d> {
    document: &'d ExecutableDocument,
    /// None for a fragment that is being measured.
    fragments: HashMap<&'d Name, Option<Cost>>,
    mentions: Mentions,
    directives: usize,
}

impl<'d> Meter<'d> {
    fn operation(&mut self, operation: &'d OperationDefinition) -> Result<Cost, String> {
        if operation.variable_definitions.len() > MAX_VARIABLES {
            return Err(format!("the operation has more than {MAX_VARIABLES} variables"));
        }
        self.directives(&operation.directives)?;
        for definition in &operation.variable_definitions {
            self.directives(&definition.node.directives)?;
        }
        let cost = self.selection(&operation.selection_set.node, 0)?;
        let (depth, of_what) =
            if cost.introspects { (MAX_INTROSPECTION_DEPTH, "the schema is") } else { (MAX_DEPTH, "fields are") };
        if cost.depth > depth {
            return Err(format!("{of_what} asked for more than {depth} fields deep"));
        }
        if cost.introspects && (cost.schema_list_depth > MAX_INTROSPECTION_LISTS || cost.schema_lists > MAX_INTROSPECTED) {
            return Err("the schema is asked for in too many lists within each other".to_owned());
        }
        if cost.calls > MAX_CALLS {
            return Err(format!("the operation has more than {MAX_CALLS} fields at its root, each of which is a call"));
        }
        if operation.ty == OperationType::Subscription && !is_one_field(&operation.selection_set.node) {
            return Err("a subscription has exactly one field at its root".to_owned());
        }
        Ok(cost)
    }

    fn selection(&mut self, set: &'d SelectionSet, levels: usize) -> Result<Cost, String> {
        if levels > MAX_LEVELS {
            return Err(format!("fields and fragments stand within each other more than {MAX_LEVELS} deep"));
        }
        let mut cost = Cost::default();
        for selection in &set.items {
            self.directives(selection.node.directives())?;
            let part = match &selection.node {
                Selection::Field(field) => self.field(&field.node, levels)?,
                Selection::InlineFragment(fragment) => {
                    let mut part = self.selection(&fragment.node.selection_set.node, levels + 1)?;
                    part.levels += 1;
                    part
                }
                Selection::FragmentSpread(spread) => {
                    let part = self.fragment(&spread.node.fragment_name.node, levels + 1)?;
                    Cost { fields: part.fields.saturating_add(1), own: 1, levels: part.levels + 1, ..part }
                }
            };
            cost.beside(part);
        }
        // A fragment that was measured elsewhere is as deep here too.
        if levels + cost.levels > MAX_LEVELS {
            return Err(format!("fields and fragments stand within each other more than {MAX_LEVELS} deep"));
        }
        Ok(cost)
    }

    fn field(&mut self, field: &'d Field, levels: usize) -> Result<Cost, String> {
        for (_, value) in &field.arguments {
            self.mentions.count(&value.node)?;
        }
        let inner = self.selection(&field.selection_set.node, levels + 1)?;
        Ok(inner.of_field(&field.name.node))
    }

    fn fragment(&mut self, name: &'d Name, levels: usize) -> Result<Cost, String> {
        match self.fragments.get(name) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err(format!("the fragment {name} spreads itself")),
            None => {}
        }
        // An unknown one is for the validation to name.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Cost::default()) };
        self.fragments.insert(name, None);
        let cost = self.fragment_definition(&fragment.node, levels)?;
        self.fragments.insert(name, Some(cost));
        Ok(cost)
    }

    fn fragment_definition(&mut self, fragment: &'d FragmentDefinition, levels: usize) -> Result<Cost, String> {
        self.selection(&fragment.selection_set.node, levels)
    }

    fn directives(&mut self, directives: &'d [Positioned<Directive>]) -> Result<(), String> {
        self.directives += directives.len();
        if self.directives > MAX_DIRECTIVES {
            return Err(format!("the document has more than {MAX_DIRECTIVES} directives"));
        }
        let values = directives.iter().flat_map(|directive| &directive.node.arguments);
        values.into_iter().try_for_each(|(_, value)| self.mentions.count(&value.node))
    }
}

fn is_one_field(set: &SelectionSet) -> bool {
    matches!(&*set.items, [selection] if matches!(selection.node, Selection::Field(_)))
}

/// How much the mentions of variables stand for.
struct Mentions {
    sizes: HashMap<Name, usize>,
    left: usize,
}

impl Mentions {
    fn of(variables: &Variables) -> Self {
        let sizes = variables.iter().map(|(name, value)| (name.clone(), super::values::size(value))).collect();
        Self { sizes, left: MAX_VARIABLE_BYTES }
    }

    fn count(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Variable(name) => {
                let size = self.sizes.get(name).copied().unwrap_or_default();
                self.left = self.left.checked_sub(size).ok_or("variables are mentioned too often for their size")?;
                Ok(())
            }
            Value::List(items) => items.iter().try_for_each(|item| self.count(item)),
            Value::Object(members) => members.values().try_for_each(|member| self.count(member)),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => Ok(()),
        }
    }
}
