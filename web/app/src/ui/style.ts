/** What all styles stand on: imported before any component, for the first @layer that the browser meets sets the order of all. */
import './tokens.css'
import './fonts.css'
import './base.css'
