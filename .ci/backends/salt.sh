salt_answers() { false; }
salt_lacks() { echo later; }
