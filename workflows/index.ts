/** Bundle entry: exports each workflow, and what is run where a name is none of theirs. */
export { archiveWorkflow } from './archive.js';
export { archivesWorkflow } from './archives.js';
export { closeRunWorkflow } from './close-run.js';
export { deleteUserWorkflow } from './delete-user.js';
export { discussionWorkflow } from './discussion.js';
export { validateKeyWorkflow } from './key-check.js';
export { pipelineWorkflow } from './pipeline.js';
export { retentionWorkflow } from './retention.js';
export { unknownWorkflow as default } from './unknown.js';
