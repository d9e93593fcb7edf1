/** Which namespace a process is led to, by more than its name: each cluster has its own `default`. */
import { isGrpcServiceError, type Connection } from '@temporalio/client';

/** Source: gRPC, status codes. */
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/** @returns null where the cluster does not tell. @throws while it does not answer */
export async function readNamespaceId(
  { workflowService }: Connection,
  namespace: string,
): Promise<string | null> {
  try {
    const { namespaceInfo } = await workflowService.describeNamespace({ namespace });
    return namespaceInfo?.id || null;
  } catch (error) {
    const code: number | null = isGrpcServiceError(error) ? error.code : null;
    if (code === PERMISSION_DENIED || code === UNIMPLEMENTED) {
      return null;
    }
    throw error;
  }
}
