namespace NanoFold.Kernels;

/// <summary>The fused kernels of a backend, and the one place where they are chosen: the first that is of the call asked for.</summary>
/// <param name="composedOnly">Hides the kernels of calls that have a composed path of plain ops, so that the two can be compared.</param>
/// <param name="kernels">The backend's own.</param>
public sealed class KernelTable(bool composedOnly, params IReadOnlyList<IKernel> kernels) : IDisposable
{
    private static readonly Lock s_lock = new();
    private static readonly List<Func<Backend, IKernel?>> s_registered = [];

    private readonly List<IKernel> _kernels = [.. kernels];

    /// <summary>
    /// Makes a kernel for every backend of a type that is opened from now on, as if each were given it by <see cref="Add"/>: for programs that do not open their
    /// backends themselves.
    /// </summary>
    /// <typeparam name="TBackend">As <c>CpuBackend</c>.</typeparam>
    /// <param name="make">Makes the kernel.</param>
    public static void Register<TBackend>(Func<TBackend, IKernel> make)
        where TBackend : Backend
    {
        ArgumentNullException.ThrowIfNull(make);
        lock (s_lock)
        {
            s_registered.Add(backend => backend is TBackend own ? make(own) : null);
        }
    }

    /// <summary>Adds what was registered for a backend; its constructor ends with it.</summary>
    internal void AddRegistered(Backend backend)
    {
        Func<Backend, IKernel?>[] all;
        lock (s_lock)
        {
            all = [.. s_registered];
        }

        // What is made here may itself register, or open a backend.
        foreach (IKernel kernel in all.Select(make => make(backend)).OfType<IKernel>())
        {
            Add(kernel);
        }
    }

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
