//! Light of neighbours in stars' apertures: in a cluster there is more of it the worse the seeing.

use photosite_pix::chance::normal_below;
use photosite_pix::stars::Star;

/// How a light shows stars, in pixels of the light whose stars are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// The radius that fluxes are summed within.
    pub aperture_px: f64,
    /// The standard deviation of a star's profile.
    pub sigma_px: f64,
}

impl Sight {
    /// The share of a star's light that falls into an aperture this far beside it.
    fn share(self, away_px: f64) -> f64 {
        // The rim is bent: half of the light is within a little farther in.
        normal_below((self.aperture_px - away_px.hypot(self.sigma_px)) / self.sigma_px)
    }

    /// Beyond this nothing of a star falls into an aperture.
    fn reach_px(self) -> f64 {
        self.aperture_px + 4.0 * self.sigma_px
    }
}

/// How much more light its neighbours send into a star's aperture as one light shows them than as another does, in
/// shares of its own light, star by star.
pub(super) fn traded(stars: &[Star], sights: [Sight; 2]) -> Vec<f64> {
    let reach_px = sights.map(Sight::reach_px).into_iter().fold(0.0, f64::max);
    let mut order: Vec<usize> = (0..stars.len()).filter(|i| stars[*i].flux > 0.0).collect();
    order.sort_by(|a, b| stars[*a].y.total_cmp(&stars[*b].y));
    let mut more = vec![0.0; stars.len()];
    for (n, &i) in order.iter().enumerate() {
        for &j in order[n + 1..].iter().take_while(|j| stars[**j].y - stars[i].y < reach_px) {
            let away_px = (stars[i].x - stars[j].x).hypot(stars[i].y - stars[j].y);
            if away_px < reach_px {
                let part = (sights[1].share(away_px) - sights[0].share(away_px)).abs();
                more[i] += part * stars[j].flux / stars[i].flux;
                more[j] += part * stars[i].flux / stars[j].flux;
            }
        }
    }
    more
}
