// Package typo finds what somebody meant who mistyped a name. Names are short
// and ASCII: flags, commands, the values that a flag takes.
package typo
