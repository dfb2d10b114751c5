// Package vault is data at rest: the keys that personal data is sealed under,
// and the destruction of those keys as the deletion of that data.
//
// Every (class, day) has its own random key, wrapped under the master key in a
// small file of its own; the master key is never stored here. What was sealed
// for a day can be opened until Destroy of that day returns, and by nobody
// afterwards, wherever copies of the ciphertext went; a day that was destroyed
// never gets a key again. A key file appears whole or not at all, and no
// existing one is ever replaced. A wrong master key is refused at Open, before
// anything is sealed under it.
//
// A gate's own keys are here too. They are made on the machine and never leave
// it; the TLS certificate that headquarters gives for one of them is read anew
// for every connection, and none but headquarters' own authorities count.
//
// A Vault is safe for concurrent use. One process owns a folder of keys. The
// first Seal of a day waits for the disk; all others only compute.
package vault
