//! Groups of things by their distances: single linkage, cut where distances jump.

/// Distances from 1 on matter, and this many are a jump by themselves: nothing agrees.
const NOTHING_AGREES: f64 = 8.0;

/// A gap between two parts that have no clear majority must be this wide to be believed.
const WIDE: f64 = 3.0;

/// Groups of `count` things, and the width of the gap between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// The number of the group of each thing; the largest group is 0.
    pub group: Vec<usize>,
    /// The shortest distance that was cut; `None` where all are one group.
    pub gap: Option<f64>,
}

impl Grouping {
    /// The things in the largest group.
    pub fn most(&self) -> usize {
        self.group.iter().filter(|g| **g == 0).count()
    }

    /// Whether the largest group is a clear majority: two thirds, and never one of two.
    pub fn clear(&self) -> bool {
        self.group.len() >= 3 && 3 * self.most() >= 2 * self.group.len()
    }

    /// Whether two or more parts stand against each other, none of them a clear majority.
    pub fn divided(&self) -> bool {
        self.gap.is_some_and(|gap| gap >= WIDE) && !self.clear()
    }
}

/// How much longer than the next shorter one a link must be, so that a drift is no gap: few links
/// tell little of how a drift goes on.
fn jump(count: usize) -> f64 {
    match count {
        0..=3 => 6.0,
        4 => 5.0,
        _ => 4.0,
    }
}

/// Links things to their nearest, and cuts the links that are longer than 1 and far longer than the
/// rest.
///
/// A drift is a chain of links alike, however far its ends lie apart.
pub fn group(count: usize, distance: impl Fn(usize, usize) -> f64) -> Grouping {
    let links = shortest_tree(count, distance);
    let mut lengths: Vec<f64> = links.iter().map(|l| l.2).collect();
    lengths.sort_by(f64::total_cmp);
    let jumps = |i: &usize| {
        let length = lengths[*i];
        match i.checked_sub(1) {
            Some(before) => length >= 1.0 && length > jump(count) * lengths[before],
            None if count == 2 => length >= WIDE,
            None => length >= NOTHING_AGREES,
        }
    };
    let Some(first) = (0..lengths.len()).find(jumps) else {
        return Grouping { group: vec![0; count], gap: None };
    };
    let gap = lengths[first];
    let mut group: Vec<usize> = (0..count).collect();
    for (a, b, _) in links.iter().filter(|l| l.2 < gap) {
        let (from, to) = (group[*b], group[*a]);
        group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
    }
    Grouping { group: by_size(&group), gap: Some(gap) }
}

/// Renumbers groups: the largest first, of equal ones that whose first member comes first.
fn by_size(group: &[usize]) -> Vec<usize> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for g in group {
        match found.iter_mut().find(|f| f.0 == *g) {
            Some(f) => f.1 += 1,
            None => found.push((*g, 1)),
        }
    }
    found.sort_by_key(|f| std::cmp::Reverse(f.1));
    group.iter().map(|g| found.iter().position(|f| f.0 == *g).unwrap_or(0)).collect()
}

/// The tree of shortest links, by growing it from the first thing.
fn shortest_tree(count: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize, f64)> {
    let mut nearest: Vec<(usize, f64)> = vec![(0, f64::INFINITY); count];
    let mut outside: Vec<usize> = (1..count).collect();
    let mut links = Vec::with_capacity(count.saturating_sub(1));
    let mut last = 0;
    while !outside.is_empty() {
        for &i in &outside {
            let d = distance(last, i);
            let d = if d.is_finite() { d } else { f64::MAX };
            if d < nearest[i].1 {
                nearest[i] = (last, d);
            }
        }
        let by_length =
            |a: &(usize, &usize), b: &(usize, &usize)| nearest[*a.1].1.total_cmp(&nearest[*b.1].1);
        let Some((at, &next)) = outside.iter().enumerate().min_by(by_length) else { break };
        outside.remove(at);
        links.push((nearest[next].0, next, nearest[next].1));
        last = next;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Grouping {
        group(values.len(), |a, b| (values[a] - values[b]).abs())
    }

    #[test]
    fn one_among_others_stands_alone_and_a_drift_does_not() {
        for (values, groups) in [
            (vec![0.0, 0.1, 9.0, 0.2], vec![0, 0, 1, 0]),
            (vec![0.0, 0.1, 9.0], vec![0, 0, 1]),
            (vec![9.0, 0.0, -7.0, 0.1, 0.2, 0.0, 0.1], vec![1, 0, 2, 0, 0, 0, 0]),
            (vec![0.0, 2.0, 4.1, 6.0, 8.2], vec![0; 5]),
            // A camera that warms up: steep at first.
            (vec![0.0, 9.0, 16.5, 22.6, 27.5, 31.6, 34.8, 37.6, 39.7, 41.0], vec![0; 10]),
            (vec![0.0, 0.5, 0.9], vec![0; 3]),
            (vec![5.0], vec![0]),
        ] {
            let found = of(&values);
            assert_eq!(found.group, groups, "{values:?}");
            assert!(!found.divided(), "{values:?}");
        }
    }

    #[test]
    fn two_that_differ_and_halves_are_divided() {
        for values in [
            vec![0.0, 9.0],
            vec![0.0, 0.1, 9.0, 9.1],
            vec![0.0, 9.0, 30.0],
            vec![0.0, 9.0, f64::NAN],
        ] {
            assert!(of(&values).divided(), "{values:?}");
        }
        assert!(!of(&[0.0, 2.0]).divided());
        assert!(!of(&[0.0, 0.1, 0.2, 9.0, 9.1, 0.1]).divided());
    }
}
