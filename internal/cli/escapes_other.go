//go:build !windows

package cli

import "os"

// enableEscapes has nothing to do: terminals here obey escape sequences.
func enableEscapes(*os.File) bool { return true }
