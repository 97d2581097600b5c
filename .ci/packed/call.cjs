/** The package from CommonJS. */

const proxyExecute = require('proxy-execute');
const { callOnce } = require('./call-once.cjs');

callOnce(proxyExecute, 'CommonJS');
