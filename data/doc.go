// Package data brings text from files to the windows that a model trains on.
//
// [Sources] lists what to read: files, folders, standard input; gzip, zstd, xz
// and bzip2 are unpacked by their first bytes. [Text] is a text in memory,
// whose bytes are taken as they are. [Prepare] reads the sources at most three
// times, a piece at a time, so that a text of any size passes through a few
// megabytes of memory: once to measure what is compressed, once to train a
// tokenizer on the training part, once to write the ids. The ids lie in one
// file, [IDs], read with ReadAt. A [Stream] cuts them into lanes and windows;
// [Documents] makes padded batches of texts that have nothing to do with each other.
//
// # Text
//
// A text is the concatenation of its sources in the given order, nothing
// between them. A UTF-8 byte order mark at the beginning of a source is
// dropped, everything else stays as it is (line ends, invalid UTF-8). A source
// whose first 64 KiB hold a NUL or more than 10 % of invalid UTF-8 is refused
// as binary; with [ReadOptions].AllowBinary any bytes are taken, the mark
// too.
//
// [Chunks] cuts a text into pieces of at most 1 MiB: after the last line end;
// in a longer line after the last space; without any, between two characters.
// A piece never spans two sources. Where the cuts are depends on the text
// alone.
//
// # Parts
//
// Validation is either sources of its own or the tail of the text: from the
// last line end in the bytes before the cut point (at most 64 KiB, and half of
// the tail, before it), else from the next character boundary there.
//
// # Compressed input
//
// An archive may unpack to 64 GiB, and beyond 1 GiB to no more than 200 times
// its own size; [ReadOptions].MaxUnpacked replaces both. Windows beyond 128
// MiB (zstd) and dictionaries beyond 256 MiB (xz) are refused.
package data
