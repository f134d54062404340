package eval

// ParseLineStats lets the fuzz target reach the parser without a file.
var ParseLineStats = parseLineStats

// LineBlocks lets a test choose the size of a block.
var LineBlocks = lineBlocks
