using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Runs flash attention's kernels on the host, over tensors of the CPU's backend; nothing but these may be touched.</summary>
internal sealed unsafe class FlashMachine(params View[] views) : IFlashDevice
{
    public bool LastWarpFirst { get; init; }

    public long SharedCycles { get; private set; }

    public long ConflictCycles { get; private set; }

    public long Pointer(in View view) => (long)view.Address;

    public void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY)
    {
        var machine = new PtxMachine(spec.Write()) { LastWarpFirst = LastWarpFirst };
        foreach (View view in views)
        {
            if (!view.IsNone)
            {
                machine.Allow(view.Address, view.Layout.Extent * view.Type.Size());
            }
        }

        machine.Run(arguments, gridX, gridY);
        SharedCycles += machine.SharedCycles;
        ConflictCycles += machine.ConflictCycles;
    }
}
