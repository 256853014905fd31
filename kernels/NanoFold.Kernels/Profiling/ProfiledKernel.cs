namespace NanoFold.Kernels.Profiling;

/// <summary>A kernel around another, each call noted in a log with its name and cost.</summary>
internal sealed class ProfiledKernel<TCall>(IKernel<TCall> inner, EventLog log) : IKernel<TCall>
    where TCall : struct, IKernelCall<TCall>
{
    public void Run(in TCall call)
    {
        if (log.IsOn)
        {
            call.Check();
            log.Begin(EventKind.Kernel, TCall.Name, call.Cost);
        }

        inner.Run(call);
        log.End();
    }

    public long ScratchBytes(in TCall shape) => inner.ScratchBytes(shape);

    public long KeptBytes(in TCall shape) => inner.KeptBytes(shape);
}
