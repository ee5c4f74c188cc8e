// From values to places: linear and logarithmic scales with ticks that one can read.

const durationSteps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
  2_592_000_000, 7_776_000_000, 15_778_800_000, 31_557_600_000, 63_115_200_000, 157_788_000_000, 315_576_000_000,
]

/** The smallest readable step of at least `atLeast`. */
function niceStep(atLeast, isTime) {
  if (isTime && atLeast <= durationSteps.at(-1)) return durationSteps.find((step) => step >= atLeast)
  const base = 10 ** Math.floor(Math.log10(atLeast))
  return [1, 2, 5, 10].map((factor) => factor * base).find((step) => step >= atLeast * 0.999)
}

/**
 * A scale over `values`: `{ place(value) -> 0...1, ticks }`.
 * - isWhole: there is nothing between 0 and 1
 * - logarithmic: "never", or "auto" where small and large values are both of interest
 */
function makeScale(values, { isTime = false, isWhole = false, logarithmic = "auto" } = {}) {
  const known = values.filter((value) => value !== null && Number.isFinite(value))
  if (!known.length) return { place: () => 0, ticks: [], isLogarithmic: false }
  const positive = known.filter((value) => value > 0)
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const smallest = positive.length ? Math.min(...positive) : 0
  if (logarithmic === "auto" && low >= 0 && smallest > 0 && high / smallest > 50) {
    return logarithmicScale(smallest, high, isTime)
  }
  return linearScale(Math.min(0, low), Math.max(0, high), isTime, isWhole)
}

function linearScale(low, high, isTime, isWhole) {
  const span = high - low || 1
  const step = Math.max(niceStep(span / 3, isTime), isWhole || isTime ? 1 : 0)
  const first = Math.floor(low / step) * step
  const last = Math.ceil((low + span) / step) * step
  const ticks = []
  for (let tick = first; tick <= last + step / 2; tick += step) ticks.push(tick)
  return { place: (value) => (value - first) / (last - first), ticks, isLogarithmic: false }
}

/** Values at and below the floor, 0 among them, lie on the floor. */
function logarithmicScale(low, high, isTime) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high * 1.01))]
  const all = isTime
    ? [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000, 864_000_000]
    : Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
  const inside = all.filter((tick) => tick >= 10 ** first * 0.999 && tick <= 10 ** last * 1.001)
  const every = Math.ceil(inside.length / 4)
  return {
    place: (value) => (value <= 10 ** first ? 0 : (Math.log10(value) - first) / (last - first)),
    ticks: inside.filter((_, index) => index % every === 0),
    isLogarithmic: true,
  }
}

/** Times on the clock within `start...end`. */
function timeTicks(start, end, count) {
  const step = niceStep(Math.max(1000, (end - start) / count), true)
  const ticks = []
  for (let tick = Math.ceil(start / step) * step; tick <= end; tick += step) ticks.push(tick)
  return { ticks, step }
}
