// Numbers for people: always with a unit, never more digits than one can use.

/** Between a number and its unit: no line breaks there. */
const gap = "\u00a0"

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })

/** Three digits at most, grouped below a million: 0.25, 8.3, 950, 12,345, 1.38 M. */
function number(value) {
  const size = Math.abs(value)
  if (size >= 1e9) return `${significant(value / 1e9)}${gap}G`
  if (size >= 1e6) return `${significant(value / 1e6)}${gap}M`
  return size >= 100 || Number.isInteger(value) ? grouped.format(value) : significant(value)
}

function significant(value) {
  const size = Math.abs(value)
  if (size === 0) return "0"
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)))
}

function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`
}

function perSecond(value, what = "rows") {
  if (value > 0 && value < 0.01) return `< 0.01 ${what}/s`
  return `${number(value)} ${what}/s`
}

function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"]
  let unit = 0
  let rest = value
  while (Math.abs(rest) >= 1000 && unit < units.length - 1) {
    rest /= 1000
    unit += 1
  }
  return `${significant(rest)}${gap}${units[unit]}`
}

function percent(share) {
  const value = share * 100
  if (value > 0 && value < 0.1) return `<${gap}0.1${gap}%`
  return `${value < 10 ? significant(Math.round(value * 10) / 10) : grouped.format(value)}${gap}%`
}

/** Two units at most: 350 ms, 2.4 s, 4 min, 1 h 5 min, 3 d 4 h, 2.9 years. */
function duration(millis) {
  if (millis < 0) return `-${duration(-millis)}`
  if (millis > 0 && millis < 1) return `${significant(millis)}${gap}ms`
  if (millis < 1000) return `${Math.round(millis)}${gap}ms`
  const seconds = millis / 1000
  if (seconds < 60) return `${significant(seconds < 10 ? Math.floor(seconds * 10) / 10 : Math.floor(seconds))}${gap}s`
  const days = seconds / 86400
  if (days >= 365) {
    const years = significant(Math.round(days / 36.525) / 10)
    return `${years}${gap}${years === "1" ? "year" : "years"}`
  }
  if (days >= 1) return pair(Math.floor(days), "d", Math.floor((seconds % 86400) / 3600), "h")
  if (seconds >= 3600) return pair(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min")
  const minutes = Math.floor(seconds / 60)
  return minutes < 10 ? pair(minutes, "min", Math.floor(seconds % 60), "s") : `${minutes}${gap}min`
}

function pair(first, firstUnit, second, secondUnit) {
  const text = `${first}${gap}${firstUnit}`
  return second ? `${text} ${second}${gap}${secondUnit}` : text
}

/** How long ago, in whole seconds: it is written anew every second. */
function ago(millis) {
  return millis < 1000 ? "just now" : `${duration(millis < 60_000 ? Math.floor(millis / 1000) * 1000 : millis)} ago`
}

/** As logs and progress records have it: UTC. The date only where it is not today's. */
function time(millis, now = Date.now()) {
  const text = new Date(millis).toISOString()
  const isToday = text.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
  return `${isToday ? "" : `${text.slice(0, 10)} `}${text.slice(11, 19)}`
}

/** Milliseconds of a trigger as the API writes it ("1h30m", "500ms"); null where it is no interval. */
function intervalMillis(trigger) {
  if (!trigger) return null
  const units = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  const parts = [...trigger.replaceAll(/[\s_]/g, "").matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)]
  const whole = parts.map((part) => part[0]).join("")
  if (!parts.length || whole !== trigger.replaceAll(/[\s_]/g, "")) return null
  return parts.reduce((sum, part) => sum + Number(part[1]) * units[part[2]], 0)
}

function median(values) {
  return quantile(values, 0.5)
}

function quantile(values, share) {
  if (!values.length) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
