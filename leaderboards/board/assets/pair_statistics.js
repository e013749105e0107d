"use strict";
// The paired comparison of bench compare (harness/stats/paired.py, clusters.py; alpha 0.05), so that
// any two entries can be compared on a static page. Differences are new minus base, in [-1, 1].
const PairStatistics = (() => {
  const LEVEL = 0.95, Z = 1.959963984540054, LEAST = 1e-9, LEAST_SPREAD = 0.1;
  const sum = (values) => values.reduce((total, each) => total + each, 0);
  const mean = (values) => sum(values) / values.length;

  // The upper tail of the standard normal distribution.
  const tail = (x) => {
    if (x < 0) return 1 - tail(-x);
    if (x < 3) {
      let term = x, total = x;
      for (let k = 1; k < 200 && Math.abs(term) > 1e-18 * Math.abs(total); k++) {
        term *= x * x / (2 * k + 1);
        total += term;
      }
      return 0.5 - total * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }
    let fraction = 0;
    for (let k = 200; k > 0; k--) fraction = k / (x + fraction);
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) / (x + fraction);
  };

  // value_difference of harness/compare/pairs.py.
  const difference = (base, now, measure) => {
    if (base === now) return 0;
    if (measure === "sign") return now > base ? 1 : -1;
    if (measure === "success") return now - base;
    const known = (score, other) => Number.isFinite(score) ? score : other > 0 ? 0 : other - LEAST;
    const low = known(base, now), high = known(now, base);
    const scale = Math.max(1, Math.abs(low), Math.abs(high));
    return Math.min(1, Math.max(-1, (high - low) / scale));
  };

  const means = (losses, wins, pairs, push) => {
    const x = [], y = [];
    for (let t = 0; t < pairs.length; t++) {
      const ties = Math.max(pairs[t] - losses[t] - wins[t], 0), m = push;
      const b = m * m + (wins[t] - losses[t]) * m;
      const p = Math.sqrt(Math.max(pairs[t] * pairs[t] / 9 + b / 3, 0));
      const q = pairs[t] ** 3 / 27 + pairs[t] * b / 6 - ties * m * m / 2;
      const cosine = Math.min(1, Math.max(-1, q / p ** 3));
      const k = Math.max(pairs[t] / 3 + 2 * p * Math.cos(Math.acos(cosine) / 3), m);
      x.push(losses[t] / (k + m));
      y.push(Math.min(1, Math.max(0, 1 - x[t] - ties / k)));
    }
    return { centre: mean(y.map((each, t) => each - x[t])), x, y };
  };

  const shifted = ({ losses, wins, squares, pairs }, push) => {
    const { centre, x, y } = means(losses, wins, pairs, push);
    const tasks = pairs.length;
    const within = sum(pairs.map((n, t) =>
      (squares[t] + 1) / (losses[t] + wins[t] + 1) * (x[t] + y[t]) / n)) / tasks ** 2;
    return { centre, variance: Math.max(within - centre ** 2 / sum(pairs), 1e-300) };
  };

  const bisect = (beyond) => {
    let low = -9, high = 10;
    for (let k = 0; k < 60; k++) {
      const middle = (low + high) / 2;
      if (beyond(10 ** middle)) high = middle; else low = middle;
    }
    return 10 ** high;
  };

  const mirrored = (counts) => ({ ...counts, losses: counts.wins, wins: counts.losses });
  const meanOf = ({ losses, wins, pairs }) => mean(pairs.map((n, t) => (wins[t] - losses[t]) / n));

  const upper = (counts) => {
    const value = meanOf(counts);
    const beyond = (push) => {
      const { centre, variance } = shifted(counts, push);
      return centre > value && (centre - value) ** 2 >= Z * Z * variance;
    };
    return Math.min(1, shifted(counts, bisect(beyond)).centre);
  };

  const countsOf = (differences, designs) => {
    const of = (what) => differences.map((each, t) => sum(each.map(what)) / designs[t]);
    return {
      losses: of((d) => Math.max(-d, 0)), wins: of((d) => Math.max(d, 0)),
      squares: of((d) => d * d), pairs: of(() => 1),
    };
  };

  // paired_difference with paired_p. differences: of each task; designs: a number for each.
  const paired = (differences, designs) => {
    const counts = countsOf(differences, designs);
    const value = meanOf(counts);
    let p = 1;
    if (value !== 0) {
      const side = value < 0 ? counts : mirrored(counts);
      const push = bisect((each) => means(side.losses, side.wins, side.pairs, each).centre >= 0);
      const { centre, variance } = shifted(side, push);
      p = 2 * tail((Math.abs(value) + centre) / Math.sqrt(variance));
    }
    return { value, low: -upper(mirrored(counts)), high: upper(counts), p };
  };

  // Clusters.design_effect: values of one seed may depend on one another.
  const designEffect = (values, seeds) => {
    const clusters = new Map();
    let squaredWeights = 0, squares = 0;
    values.forEach((each, t) => {
      const weight = 1 / each.length, centre = mean(each);
      each.forEach((value, k) => {
        const seed = seeds[t][k];
        const found = clusters.get(seed) ?? { weights: 0, spread: 0, own: 0 };
        const spread = (value - centre) * weight;
        found.weights += weight;
        found.spread += spread;
        found.own += spread * spread;
        clusters.set(seed, found);
        squaredWeights += weight * weight;
        squares += (value * weight) ** 2;
      });
    });
    const all = [...clusters.values()];
    const most = sum(all.map((each) => each.weights ** 2)) / squaredWeights;
    const alone = sum(all.map((each) => each.own));
    if (alone <= 1e-24 * squares) return most;
    const together = sum(all.map((each) => each.spread ** 2));
    const found = 1 + Math.max(0, together - alone) / Math.max(alone, LEAST_SPREAD * squares);
    const known = alone ** 2 / sum(all.map((each) => each.own ** 2));
    return (known * found + most) / (known + 1);
  };

  const designs = (values, seeds, families) => {
    const found = values.map(() => 1), members = new Map();
    families.forEach((family, t) => members.set(family, [...members.get(family) ?? [], t]));
    for (const tasks of members.values()) {
      if (tasks.length < 2) continue;
      const effect = designEffect(tasks.map((t) => values[t]), tasks.map((t) => seeds[t]));
      for (const t of tasks) found[t] = effect;
    }
    return found;
  };

  const mcnemar = (losses, wins) => {
    const n = losses + wins;
    if (n === 0) return 1;
    let logarithm = -n * Math.LN2, total = 0;
    for (let k = 0; k <= Math.min(losses, wins); k++) {
      if (k > 0) logarithm += Math.log((n - k + 1) / k);
      total += Math.exp(logarithm);
    }
    return Math.min(1, 2 * total);
  };

  // sign_flip; of many values between -1 and 1 its draws are others than those of bench compare.
  const signFlip = (differences) => {
    const moved = differences.filter((each) => each !== 0);
    const losses = moved.filter((each) => each < 0).length, wins = moved.length - losses;
    if (Math.min(losses, wins) === 0 || moved.every((each) => Math.abs(each) === 1)) {
      return mcnemar(losses, wins);
    }
    const observed = Math.abs(sum(moved)) * (1 - 1e-12);
    if (moved.length <= 14) {
      let beyond = 0;
      for (let mask = 0; mask < 1 << moved.length; mask++) {
        const total = sum(moved.map((each, k) => mask >> k & 1 ? each : -each));
        beyond += Math.abs(total) >= observed;
      }
      return beyond / (1 << moved.length);
    }
    let state = 20261129, beyond = 0;
    for (let k = 0; k < 20000; k++) {
      let total = 0;
      for (const each of moved) {
        state = Math.imul(state ^ state >>> 15, state | 1);
        state ^= state + Math.imul(state ^ state >>> 7, state | 61);
        state = (state + 0x6d2b79f5) | 0;
        total += (state ^ state >>> 14) & 1 ? each : -each;
      }
      beyond += Math.abs(total) >= observed;
    }
    return (beyond + 1) / 20001;
  };

  const holm = (values) => {
    const order = values.map((_, k) => k).sort((a, b) => values[a] - values[b]);
    const adjusted = [];
    let least = 0;
    order.forEach((index, rank) => {
      least = Math.max(least, Math.min(1, (values.length - rank) * values[index]));
      adjusted[index] = least;
    });
    return adjusted;
  };

  return { LEVEL, designs, difference, holm, mean, paired, signFlip, sum };
})();
