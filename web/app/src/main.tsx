import './ui/style.ts'
import { render } from 'solid-js/web'
import { modules } from 'virtual:modules'
import { App } from './App.tsx'
import { absentModel } from './model/absent.ts'
import { register } from './module.ts'

const root = document.getElementById('app')
if (root) {
  root.textContent = ''
  render(() => <App model={absentModel} registry={register(modules)} />, root)
}
