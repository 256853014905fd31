namespace NanoFold.Kernels;

/// <summary>The fused kernels of a backend, and the one place where they are chosen: the first that is of the call asked for.</summary>
/// <param name="composedOnly">Hides the kernels of calls that have a composed path of plain ops, so that the two can be compared.</param>
/// <param name="kernels">The backend's own.</param>
public sealed class KernelTable(bool composedOnly, params IReadOnlyList<IKernel> kernels) : IDisposable
{
    private readonly List<IKernel> _kernels = [.. kernels];

    /// <summary>
    /// Adds a kernel that is preferred to those there are, the backend's own included. Ops take their kernel when they are recorded, so it comes before that.
    /// It is disposed with the backend, where it can be.
    /// </summary>
    public void Add(IKernel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _kernels.Insert(0, kernel);
    }

    public IKernel<TCall>? Find<TCall>()
        where TCall : struct, IKernelCall<TCall>
    {
        if (composedOnly && TCall.HasComposedPath)
        {
            return null;
        }

        foreach (IKernel kernel in _kernels)
        {
            if (kernel is IKernel<TCall> found)
            {
                return found;
            }
        }

        return null;
    }

    public void Dispose()
    {
        foreach (IDisposable kernel in _kernels.OfType<IDisposable>())
        {
            kernel.Dispose();
        }
    }
}
