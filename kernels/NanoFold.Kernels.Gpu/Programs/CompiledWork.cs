namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>What a work became.</summary>
/// <param name="Work">The struct.</param>
/// <param name="Ptx">For the architectures that were asked for.</param>
/// <param name="OpenCl">OpenCL C; null where that is never asked for.</param>
internal sealed record CompiledWork(Type Work, IReadOnlyList<string> Ptx, string? OpenCl)
{
    public override string ToString() => WorkName.Of(Work);
}
