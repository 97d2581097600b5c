/** The CommonJS entry. The ES module entry exports the same classes, from here. */

module.exports = require('./dist/index.js');
