// Package typo finds what somebody meant who mistyped a name. Names are short
// and ASCII: flags, commands, the values that a flag takes. Of a value that cannot
// be read it says what is missing.
package typo
