package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"bordergate/sync/vault"
)

// File is one file of the bundle.
type File struct {
	Name string
	Data []byte
}

// maxData bounds one file of the bundle.
const maxData = 8 << 20

// Write packs the files into out, which its owner alone can read and which
// appears whole or not at all. What is there already is not replaced.
func Write(out string, at time.Time, files []File) error {
	var b bytes.Buffer
	err := pack(&b, at, files)
	if err == nil {
		err = vault.CreateFile(out, b.Bytes())
	}
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("write bundle: %w (name another file with --out)", err)
	}
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

func pack(w io.Writer, at time.Time, files []File) error {
	zip := gzip.NewWriter(w)
	t := tar.NewWriter(zip)
	for _, f := range files {
		data := f.Data
		if len(data) > maxData {
			data = append(data[:maxData:maxData], "\n[cut]\n"...)
		}
		h := &tar.Header{Name: "support/" + f.Name, Mode: 0o600, Size: int64(len(data)), ModTime: at, Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), zip.Close())
}
