using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests;

/// <summary>The same tensor on a GPU, of any type, and on the CPU in single precision.</summary>
internal readonly struct Twin(View gpu, View cpu)
{
    public View Gpu { get; } = gpu;

    public View Cpu { get; } = cpu;

    public Layout Layout => Gpu.Layout;

    /// <summary>Another look at the same elements.</summary>
    public Twin With(in Layout layout, long offset = 0) => new(Gpu.With(layout, offset), Cpu.With(layout, offset));

    public Twin Permute(params ReadOnlySpan<int> axes) => With(Layout.Permute(axes));

    public Twin Slice(int axis, int start, int length) => With(Layout.Slice(axis, start, length, out long offset), offset);
}
