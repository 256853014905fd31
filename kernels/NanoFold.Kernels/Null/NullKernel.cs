namespace NanoFold.Kernels.Null;

/// <summary>The kernel of any call that checks it and does nothing.</summary>
/// <param name="like">Whose sizes of scratch and of what is kept are taken over; null: none.</param>
internal sealed class NullKernel<TCall>(IKernel<TCall>? like) : IKernel<TCall>
    where TCall : struct, IKernelCall<TCall>
{
    public void Run(in TCall call) => call.Check();

    public long ScratchBytes(in TCall shape) => like?.ScratchBytes(shape) ?? 0;

    public long KeptBytes(in TCall shape) => like?.KeptBytes(shape) ?? 0;
}
