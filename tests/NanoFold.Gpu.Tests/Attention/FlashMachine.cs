using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Memory;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Runs flash attention's kernels on the host, over tensors of the CPU's backend; nothing but these may be touched.</summary>
/// <param name="inputs">Tensors that are read.</param>
/// <param name="results">Tensors that are written, and the scratch.</param>
internal sealed unsafe class FlashMachine(View[] inputs, View[] results) : IFlashDevice, IDisposable
{
    private NativeBuffer? _reach;

    public bool HasOneBackward { get; init; }

    public bool HasWarpgroups { get; init; }

    public bool HasWarpgroupGradients { get; init; }

    /// <summary>In place of the kernel by warpgroups that is chosen.</summary>
    public HopperSpec? Spec { get; init; }

    /// <summary>The same of the backward pass.</summary>
    public HopperGradientSpec? GradientSpec { get; init; }

    /// <summary>What the text of the forward pass by warpgroups is changed to, and tensor maps.</summary>
    public Func<string, string>? EditForward { get; init; }

    public Func<TensorMap, TensorMap>? EditMap { get; init; }

    public PtxSchedule Schedule { get; init; } = new();

    /// <summary>Whether kernels may be started while the one before them runs.</summary>
    public bool StartsEarly { get; init; }

    /// <summary>Whether accesses without an order are sought.</summary>
    public bool SeeksRaces { get; init; }

    /// <summary>What the text of the backward pass is changed to.</summary>
    public Func<string, string>? Edit { get; init; }

    /// <summary>Times that a warp waited for its turn.</summary>
    public long Waits { get; private set; }

    /// <summary>Instructions run by a warp, by kernel.</summary>
    public Dictionary<FlashPass, long> WarpInstructions { get; } = [];

    /// <summary>Launches of a kernel by warpgroups.</summary>
    public int WarpgroupLaunches { get; private set; }

    /// <summary>Boxes that were copied by tensor maps.</summary>
    public long Loads { get; private set; }

    public long SharedCycles { get; private set; }

    public long ConflictCycles { get; private set; }

    public long Pointer(in View view) => (long)view.Address;

    /// <summary>What <see cref="DocumentReachWork"/> does, on the host.</summary>
    public long Reach(in AttentionShape shape, in View documents)
    {
        int units = DocumentReach.Count(shape.Keys), keys = shape.Keys;
        _reach?.Dispose();
        _reach = new NativeBuffer(DocumentReach.Length(shape) * sizeof(int));
        Span<int> reach = _reach.Span<int>();
        for (int batch = 0; batch < shape.Batch; batch++)
        {
            int* row = documents.Ints + (batch * keys);
            (int Least, int Largest)[] ranges = [.. Enumerable.Range(0, units).Select(u => Enumerable.Range(u * DocumentReach.Unit, Math.Min(DocumentReach.Unit, keys - (u * DocumentReach.Unit))))
                .Select(tokens => (tokens.Min(t => row[t]), tokens.Max(t => row[t])))];
            bool isPacked = Enumerable.Range(1, units - 1).All(u => ranges[u - 1].Largest <= ranges[u].Least);
            for (int unit = 0; unit < units; unit++)
            {
                int[] near = [.. Enumerable.Range(0, units).Where(u => !isPacked || (ranges[u].Least <= ranges[unit].Largest && ranges[unit].Least <= ranges[u].Largest))];
                int[] numbers = [ranges[unit].Least, ranges[unit].Largest, near[0] * DocumentReach.Unit, Math.Min((near[^1] + 1) * DocumentReach.Unit, keys)];
                numbers.CopyTo(reach[(((batch * units) + unit) * DocumentReach.Numbers)..]);
            }
        }

        return (long)_reach.Pointer;
    }

    public void Dispose() => _reach?.Dispose();

    public void Clear(in View memory, long offset, long bytes) => new Span<byte>((byte*)memory.Address + offset, checked((int)bytes)).Clear();

    public void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY)
    {
        PtxProgram program = (spec with { StartsEarly = StartsEarly }).Write();
        bool isForward = spec.Pass == FlashPass.Forward;
        Run(spec.Pass, Edit is null || isForward ? program : program with { Text = Edit(program.Text) }, SeeksRaces && !isForward, arguments, gridX, gridY);
    }

    public void Launch(in HopperSpec spec, in HopperArguments arguments, int gridX, int gridY)
    {
        WarpgroupLaunches++;
        if (Spec is { } other && other != spec)
        {
            Launch(other, HopperRun.Arguments(shape => Map(shape), other, arguments.Flash, gridX / arguments.Flash.Heads), gridX, HopperRun.Blocks(other, arguments.Flash.Time));
            return;
        }

        PtxProgram program = HopperForward.Write(spec with { StartsEarly = StartsEarly });
        Run(FlashPass.Forward, EditForward is null ? program : program with { Text = EditForward(program.Text) }, false, arguments, gridX, gridY);
    }

    public void Launch(in HopperGradientSpec spec, in HopperGradientArguments arguments, int blocks)
    {
        if (GradientSpec is { } other && other != spec)
        {
            FlashArguments all = arguments.Forward.Flash;
            Launch(other, HopperGradientRun.Arguments(shape => Map(shape), other, all, blocks / all.KeyHeads / all.KeyBlocks), blocks);
            return;
        }

        WarpgroupLaunches++;
        PtxProgram program = HopperGradients.Write(spec with { StartsEarly = StartsEarly });
        Run(FlashPass.Gradients, Edit is null ? program : program with { Text = Edit(program.Text) }, SeeksRaces, arguments, blocks, 1);
    }

    public TensorMap Map(in TensorMapShape shape)
    {
        TensorMap map = FakeTensorMap.Encode(shape);
        return EditMap is null ? map : EditMap(map);
    }

    private void Run<T>(FlashPass pass, PtxProgram program, bool seeksRaces, in T arguments, int gridX, int gridY)
        where T : unmanaged
    {
        var machine = new PtxMachine(program) { Schedule = Schedule, SeeksRaces = seeksRaces };
        foreach (View view in inputs.Where(v => !v.IsNone))
        {
            machine.Allow(view.Address, view.Layout.Extent * view.Type.Size());
        }

        foreach (View view in results.Where(v => !v.IsNone))
        {
            machine.Allow(view.Address, view.Layout.Extent * view.Type.Size(), watch: true);
        }

        if (_reach is { } reach)
        {
            machine.Allow(reach.Pointer, reach.Bytes);
        }

        machine.Run(arguments, gridX, gridY);
        SharedCycles += machine.SharedCycles;
        ConflictCycles += machine.ConflictCycles;
        Waits += machine.WordWaits;
        Loads += machine.Loads;
        WarpInstructions[pass] = WarpInstructions.GetValueOrDefault(pass) + machine.WarpInstructions;
    }
}
