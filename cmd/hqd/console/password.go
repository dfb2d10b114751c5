package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of a password: OWASP's first choice for argon2id. What is written beside
// a hash is what it is checked with, so that the cost can rise.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
	// Bounds of what a stored hash may ask for.
	maxMemory, maxTime, maxThreads = 256 << 10, 16, 8
)

var b64 = base64.RawStdEncoding

// hashPassword gives the password's hash with a salt of its own.
func hashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", fmt.Errorf("%w: a password has %d to %d characters", ErrUser, minPassword, maxPassword)
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // crypto/rand never fails
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// samePassword takes as long for a wrong password as for the right one.
func samePassword(hash, password string) bool {
	var version, memory, time, threads int
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > maxPassword {
		return false
	}
	_, err1 := fmt.Sscanf(parts[2], "v=%d", &version)
	_, err2 := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads)
	salt, err3 := b64.DecodeString(parts[4])
	want, err4 := b64.DecodeString(parts[5])
	switch {
	case err1 != nil || err2 != nil || err3 != nil || err4 != nil || version != argon2.Version || len(want) != argonKey:
		return false
	case memory < 8 || memory > maxMemory || time < 1 || time > maxTime || threads < 1 || threads > maxThreads:
		return false
	}
	key := argon2.IDKey([]byte(password), salt, uint32(time), uint32(memory), uint8(threads), argonKey)
	return subtle.ConstantTimeCompare(key, want) == 1
}
