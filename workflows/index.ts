/** Bundle entry: exports each workflow, and what is run where a name is none of theirs. */
export { archiveWorkflow } from './maintenance/archive.js';
export { archivesWorkflow } from './maintenance/archives.js';
export { closeRunWorkflow } from './pipeline/close-run.js';
export { deleteUserWorkflow } from './maintenance/delete-user.js';
export { discussionWorkflow } from './discussion/discussion.js';
export { validateKeyWorkflow } from './maintenance/key-check.js';
export { pipelineWorkflow } from './pipeline/pipeline.js';
export { retentionWorkflow } from './maintenance/retention.js';
export { unknownWorkflow as default } from './unknown.js';
