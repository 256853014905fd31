using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>A small trained model with 32 windows of 64 tokens, of which others' libraries have figures.</summary>
internal static class TrainedHeads
{
    public const int Batch = 32, Time = 64;

    /// <summary>What the heads of block 2 make, [2016, 4 · 32], position 0 left out, and W_O [128, 128].</summary>
    public static (float[] Z, float[] Output) Block2()
    {
        (Dictionary<string, float[]> read, float[] output) = Read("model.layers.2.self_attn.o_proj.weight", "blocks.2.attn.hook_z");
        return ([.. read["blocks.2.attn.hook_z"].Chunk(128).Where((_, i) => i % Time > 0).SelectMany(row => row)], output);
    }

    /// <summary>Points of the model over the windows, as they are, and a parameter.</summary>
    public static (Dictionary<string, float[]> Points, float[] Parameter) Read(string parameter, params string[] points)
    {
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(SharedData.Path("peers/geometry/model"), backend);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path("peers/geometry/activations.safetensors"));
        var tokens = new long[Batch * Time];
        file.Read("tokens", tokens);
        var read = new Dictionary<string, float[]>();
        using StepState state = backend.NewState();
        using DeviceBuffer input = backend.Allocate(tokens.Length * sizeof(int));
        var view = new View(input, 0, Layout.Of(Batch, Time), DType.Int32);
        backend.Upload([.. tokens.Select(token => (int)token)], view);
        var tape = new Tape(backend, taps: new TapSet(points.Select(point => new Reader(point, read)))) { State = state };
        tape.Keep(trained.Model.Body.Forward(tape, tape.External("tokens", view)));
        using var plan = new Plan(tape);
        using var arena = new SharedArena(backend);
        arena.Bind(plan);
        plan.Run();
        View weights = trained.Model.Store.Values(trained.Model.Store[parameter]);
        var values = new float[weights.Count];
        backend.Read(weights, values.AsSpan());
        return (read, values);
    }

    private sealed class Reader(string point, Dictionary<string, float[]> read) : ITapReader
    {
        public string Pattern => point;

        public void Read(TapValue value) => read[point] = value.ToArray();
    }
}
