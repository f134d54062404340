// Package checkpoint keeps named float32 tensors and whole run folders on disk
// so that a crash, a full disk or a pulled plug never leaves less than the last
// good state.
//
// It has five parts:
//
//   - Safetensors: [WriteSafetensors] writes the same bytes for the same
//     tensors; [ReadSafetensors] believes nothing in a file before it has
//     checked it against the file's size. Format:
//     https://github.com/huggingface/safetensors#format
//   - Replacing one file: [ReplaceFile] writes beside it, syncs, renames, syncs
//     the folder.
//   - Making a folder: [NewFolder] writes a folder that is not there yet, all or
//     nothing.
//   - Committing a folder: [Commit] writes a temporary folder, each file synced,
//     a manifest with sizes and SHA-256 last, then renames it in place.
//     [Newest] finds the newest folder whose manifest holds, [Verify] checks
//     one, [Prune] removes all but the newest few.
//   - One run at a time: [Lock] holds a folder until Unlock or the end of the
//     process, however it ends.
//
// Everything that changes the disk goes through an [FS], so that tests can
// fail or stop it at any step. Sizes are bytes; messages speak of decimal
// megabytes. A damaged or truncated file is an error that matches [ErrDamaged]
// and a full disk one that matches [ErrDiskFull]; both are one line that names
// the file and says what to do.
package checkpoint
