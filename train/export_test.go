package train

// The parsers, for fuzzing without files.
var (
	ParsePlan    = parsePlan
	ParseState   = parseState
	ParseMetrics = parseMetrics
)

// Prepare and Resume on a disk of the test's own.
var (
	PrepareOn = prepareOn
	ResumeOn  = resumeOn
)

// Activations is the plan's estimate, to be measured.
var Activations = activations

// Packed is its part for packed weights.
var Packed = packed
