// The fixed texts of a certificate (docs/formats/certificate.schema.json).

/** From the state that says least to the one that says most. */
export const WORST = ["lost", "absent", "destroyed"];

export const SHARES = {
  destroyed: "Every version of this key share reads as destroyed in the key store.",
  absent: "The key store does not know this key share; no destruction could be read back.",
  lost:
    "The key store was found to lack this key share before its destruction was ordered; none could " +
    "be read back. A copy of the key store may hold it until that copy's end date.",
};

/** By the kind of the certificate's scope. */
export const EFFECTS = {
  subject: {
    destroyed: "Made unreadable by key destruction; stored ciphertext deleted.",
    absent: "Stored ciphertext deleted; a key is absent that was not read as destroyed.",
    lost: "Stored ciphertext deleted; a key had been lost before and was not read as destroyed.",
  },
  groups: {
    destroyed:
      "One key group made unreadable by key destruction; its stored ciphertext deleted. Other data " +
      "of the person is kept.",
    absent:
      "Stored ciphertext of one key group deleted; a key is absent that was not read as destroyed. " +
      "Other data of the person is kept.",
    lost:
      "Stored ciphertext of one key group deleted; a key had been lost before and was not read as " +
      "destroyed. Other data of the person is kept.",
  },
  items: {
    destroyed:
      "Items made unreadable by key destruction; their stored ciphertext deleted. What is kept of " +
      "the key group was sealed under another key before.",
    absent:
      "Stored ciphertext of items deleted; a key is absent that was not read as destroyed. What is " +
      "kept of the key group was sealed under another key before.",
    lost:
      "Stored ciphertext of items deleted; a key had been lost before and was not read as " +
      "destroyed. What is kept of the key group was sealed under another key before.",
  },
  rekey: {
    destroyed:
      "A key destroyed after all it protected was sealed under another key; no item was removed.",
    absent:
      "A key is absent that was not read as destroyed, after all it protected was sealed under " +
      "another key; no item was removed.",
    lost:
      "A key had been lost and was not read as destroyed, after all it protected was sealed under " +
      "another key; no item was removed.",
  },
};
