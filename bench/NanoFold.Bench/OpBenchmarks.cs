using BenchmarkDotNet.Attributes;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Bench;

/// <summary>Forward pass of every <see cref="OpCase"/> on one thread: the cases that the tests check.</summary>
[MemoryDiagnoser]
public class OpBenchmarks
{
    private readonly List<DeviceBuffer> _buffers = [];
    private CpuBackend? _backend;
    private Plan? _plan;

    public static IEnumerable<string> Cases => OpCases.All.Select(c => c.Name);

    [ParamsSource(nameof(Cases))]
    public string Case { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        OpCase op = OpCases.All.First(c => c.Name == Case);
        _backend = new CpuBackend(1);
        _backend.State.Set(StepSlot.TargetCount, 1L);
        _backend.State.Set(StepSlot.MicroBatchCount, 1L);
        var tape = new Tape(_backend);
        var random = new Random(1);
        Tensor[] inputs = [.. op.Inputs.Select((input, i) => tape.External($"input {i}", Fill(_backend, input, random)))];
        tape.Keep(op.Record(tape, inputs));
        _plan = new Plan(tape);
        DeviceBuffer arena = _backend.Allocate(_plan.ArenaBytes);
        _buffers.Add(arena);
        _plan.Bind(arena);
    }

    [Benchmark]
    public void Forward() => _plan!.Run();

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }

        _buffers.Clear();
        _backend?.Dispose();
    }

    private View Fill(Backend backend, OpInput input, Random random)
    {
        Layout layout = Layout.Of(input.Shape);
        DType type = input.IsInteger ? DType.Int32 : DType.Float32;
        DeviceBuffer buffer = backend.Allocate(layout.Count * type.Size());
        _buffers.Add(buffer);
        var view = new View(buffer, 0, layout, type);
        double[] values = input.Values ?? [.. Enumerable.Range(0, (int)layout.Count).Select(_ => input.Low + random.NextDouble() * (input.High - input.Low))];
        if (input.IsInteger)
        {
            backend.Upload<int>(Array.ConvertAll(values, v => (int)v), view);
        }
        else
        {
            backend.Upload<float>(Array.ConvertAll(values, v => (float)v), view);
        }

        return view;
    }
}
