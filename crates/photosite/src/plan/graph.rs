//! A plan as data: the products of a night and what each is made of, to be written down, read back
//! and run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use photosite_pix::FrameKind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Forecaster, LightPlan, MasterId, MasterPlan, Plan, StackPlan, StepCost};
use crate::inventory::{FrameId, Inventory};
use crate::params::Integration;
use crate::provenance::{ALGORITHM_VERSION, ContentHash, FileMark, SOFTWARE, master_name};

/// The name of the schema; its number rises when a key changes its meaning.
pub const PLAN_SCHEMA: &str = "photosite.plan-graph/1";

/// A file that a plan rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanInput {
    /// How steps name it: its content hash.
    pub id: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What it is taken for.
    pub kind: FrameKind,
    /// Its length in bytes.
    pub file_bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
}

/// One product to be made, or found made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanStep {
    /// How other steps name it: its place in the folder of products.
    pub id: String,
    /// What it is: `master dark`, `stacked light`.
    pub product: String,
    /// What it is made of: ids of inputs and of earlier steps.
    pub inputs: Vec<String>,
    /// How it is made: names and values, other ones for each kind of product.
    pub parameters: serde_json::Value,
    /// The hash of inputs, parameters and versions: same key, same product.
    pub key: String,
    /// What making it takes.
    pub cost: StepCost,
}

/// The products of a night, each after those it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Graph {
    /// The name of this schema: [`PLAN_SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = PLAN_SCHEMA)))]
    pub schema: String,
    /// The software that planned.
    pub software: String,
    /// The version of its arithmetic.
    pub algorithm_version: u32,
    /// The files that it rests on.
    pub inputs: Vec<PlanInput>,
    /// The products.
    pub steps: Vec<PlanStep>,
}

/// What makes a graph of a plan.
pub struct Grapher<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The frames that it speaks of.
    pub inventory: &'a Inventory,
    /// What each frame holds, and what tells it from its later self; none for one that cannot be read.
    pub known: &'a BTreeMap<FrameId, (ContentHash, FileMark)>,
    /// What steps take.
    pub forecaster: Forecaster<'a>,
    /// How lights become stacks.
    pub how: Integration,
}

impl Grapher<'_> {
    /// The graph.
    pub fn graph(&self) -> Graph {
        let mut graph = Graph {
            schema: PLAN_SCHEMA.to_owned(),
            software: SOFTWARE.to_owned(),
            algorithm_version: ALGORITHM_VERSION,
            inputs: self.inputs(),
            steps: Vec::new(),
        };
        for master in &self.plan.masters {
            let step = self.master(master, &graph.steps);
            graph.steps.push(step);
        }
        let stacks: Vec<PlanStep> =
            self.forecaster.stacked().map(|(plan, _)| self.stack(plan, &graph.steps)).collect();
        let lights: Vec<PlanStep> =
            self.forecaster.kept_lights().map(|l| self.light(l, &graph.steps)).collect();
        graph.steps.extend(stacks);
        graph.steps.extend(lights);
        graph
    }

    fn inputs(&self) -> Vec<PlanInput> {
        let input = |(id, (hash, mark)): (&FrameId, &(ContentHash, FileMark))| {
            let frame = &self.inventory[*id];
            PlanInput {
                id: hash.to_string(),
                path: std::path::absolute(&frame.path).unwrap_or_else(|_| frame.path.clone()),
                kind: frame.kind,
                file_bytes: mark.file_bytes,
                modified_ns: mark.modified_ns,
            }
        };
        self.known.iter().map(input).collect()
    }

    /// The id of a frame; none for one that cannot be read, which will be left out.
    fn frame(&self, id: FrameId) -> Option<String> {
        self.known.get(&id).map(|(hash, _)| hash.to_string())
    }

    fn master_id(&self, id: MasterId) -> String {
        format!("masters/{}", self.plan[id].file_name)
    }

    fn master(&self, master: &MasterPlan, steps: &[PlanStep]) -> PlanStep {
        let mut inputs: Vec<String> = master.frames.iter().filter_map(|i| self.frame(*i)).collect();
        inputs.sort();
        inputs.extend(master.ready.as_ref().map(|r| format!("library:{}", r.id)));
        inputs.extend(master.level_of.map(|i| self.master_id(i)));
        inputs.extend(master.additive.map(|(i, _)| self.master_id(i)));
        inputs.extend(master.scaled_dark.map(|i| self.master_id(i)));
        let parameters = json!({
            "combine": master.recipe.combine,
            "reject": master.recipe.reject,
            "additive_removed_by": master.additive.map(|(_, by)| by.name()),
        });
        let id = format!("masters/{}", master.file_name);
        let cost = self.forecaster.master(master);
        step(id, master_name(master.kind), inputs, parameters, cost, steps)
    }

    /// A light and its masters.
    fn calibrated(&self, light: &LightPlan) -> Vec<String> {
        let masters = [light.bias, light.dark, light.flat].into_iter().flatten();
        self.frame(light.frame).into_iter().chain(masters.map(|i| self.master_id(i))).collect()
    }

    fn stack(&self, plan: &StackPlan, steps: &[PlanStep]) -> PlanStep {
        let lights = plan.lights.iter().map(|id| &self.plan[*id]);
        let mut inputs: Vec<String> = lights.flat_map(|l| self.calibrated(l)).collect();
        inputs.sort();
        inputs.dedup();
        let id = format!("stacks/{}", plan.file_name(plan.lights.len()));
        let cost = self.forecaster.stack(plan);
        step(id, "stacked light".to_owned(), inputs, json!(self.how), cost, steps)
    }

    fn light(&self, light: &LightPlan, steps: &[PlanStep]) -> PlanStep {
        let id = format!("calibrated/{}", light.file_name);
        let cost = self.forecaster.light(light);
        let dark_scale = if light.scaled.is_some() { "fitted" } else { "none" };
        let parameters = json!({ "dark_scale": dark_scale });
        step(id, "calibrated light".to_owned(), self.calibrated(light), parameters, cost, steps)
    }
}

/// A step with its key: that of a product it is made of stands for the product.
fn step(
    id: String,
    product: String,
    inputs: Vec<String>,
    parameters: serde_json::Value,
    cost: StepCost,
    earlier: &[PlanStep],
) -> PlanStep {
    let key_of = |id: &String| match earlier.iter().find(|s| s.id == *id) {
        Some(step) => step.key.clone(),
        None => id.clone(),
    };
    let keys: Vec<String> = inputs.iter().map(key_of).collect();
    let all = json!([product, SOFTWARE, ALGORITHM_VERSION, keys, parameters]);
    let key = blake3::hash(all.to_string().as_bytes()).to_hex()[..32].to_owned();
    PlanStep { id, product, inputs, parameters, key, cost }
}

impl Graph {
    /// The first step in which two plans differ, in words; `None` where they make the same
    /// products.
    pub fn difference(&self, other: &Self) -> Option<String> {
        for (mine, theirs) in self.steps.iter().zip(&other.steps) {
            if mine.id != theirs.id {
                return Some(format!("{} is planned where {} was", theirs.id, mine.id));
            }
            if mine.key != theirs.key {
                return Some(format!(
                    "{} would be made from other frames or in another way",
                    mine.id
                ));
            }
        }
        let (mine, theirs) = (self.steps.len(), other.steps.len());
        (mine != theirs).then(|| format!("{theirs} products are planned where {mine} were"))
    }
}
