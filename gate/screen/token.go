package screen

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The start file holds one line: the address for the kiosk browser, with the
// token of this boot. A daemon that starts again within the boot takes the token
// over, so that the page that is open goes on by itself.

const tokenBytes = 16

// startToken gives the token of this boot and writes the start file.
func startToken(path, boot, addr string) (string, error) {
	token := tokenIn(path, boot)
	if token == "" {
		b := make([]byte, tokenBytes)
		_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
		token = hex.EncodeToString(b) + "-" + boot
	}
	if path == "" {
		return token, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("make folder of screen.start: %w", err)
	}
	// Written aside and moved, so that the browser never reads half of it and a
	// link that lies there is replaced, not followed.
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("write screen.start: %w", err)
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		// Whatever the daemon's umask: the browser's user reads it by its group.
		_, err = f.WriteString(startURL(addr, token) + "\n")
		err = errors.Join(err, f.Chmod(0o640), f.Close())
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return "", fmt.Errorf("write screen.start: %w (give the daemon's user the folder, or set another screen.start)", err)
	}
	return token, nil
}

func startURL(addr, token string) string {
	return "http://" + addr + "/start?token=" + url.QueryEscape(token)
}

// tokenIn is the token of a start file that this user wrote in this boot and
// nobody else may have changed; empty where there is none.
func tokenIn(path, boot string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || info.Size() > 512 {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return ""
	}
	token := u.Query().Get("token")
	secret, of, found := strings.Cut(token, "-")
	if !found || of != boot || len(secret) != 2*tokenBytes {
		return ""
	}
	if _, err := hex.DecodeString(secret); err != nil {
		return ""
	}
	return token
}

// bootName is a short name of this boot of the machine.
func bootName() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(b) < 8 {
		return "unknown"
	}
	return string(b[:8])
}
