// Signing in. Nothing is kept here but what the fields hold.
const form = document.getElementById('form');
const error = document.getElementById('error');
document.getElementById('why').hidden = location.hash !== '#over';
form.name.focus();

form.addEventListener('submit', async (ev) => {
  ev.preventDefault();
  error.textContent = '';
  const button = form.querySelector('button');
  button.disabled = true;
  try {
    const answer = await fetch('/api/login', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({name: form.elements.name.value.trim(), password: form.elements.password.value}),
    });
    if (answer.ok) {
      location.replace('/');
      return;
    }
    error.textContent = (await answer.json()).error;
  } catch {
    error.textContent = 'Headquarters does not answer. Try again.';
  }
  form.elements.password.value = '';
  form.elements.password.focus();
  button.disabled = false;
});
