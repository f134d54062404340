//go:build !unix

package cli

import "os"

// Exit ends the process with Main's status.
func Exit(status int) { os.Exit(status) }
