using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// The optimizer's moments in a safetensors file, laid out as the parameter store: <c>first</c> of every trained element, and <c>second</c> of those that AdamW
/// updates, which are the last. In files of older runs with Muon <c>second</c> has elements for the matrices too, in front; they are skipped.
/// </summary>
internal static class OptimizerFile
{
    public const string Name = "optimizer.safetensors";
    private const string First = "first";
    private const string Second = "second";

    public static CheckpointFile Of(Optimizer optimizer, ParameterStore store) => new(Name, stream =>
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        var download = new ModelFile.Downloads(store.Backend);
        writer.Add(First, SafeTensorType.F32, [store.TrainedElements], start => download.Piece(optimizer.First, start));
        if (!optimizer.Second.IsNone)
        {
            writer.Add(Second, SafeTensorType.F32, [optimizer.Second.Count], start => download.Piece(optimizer.Second, start));
        }

        writer.WriteTo(stream);
    });

    public static void Read(string path, Optimizer optimizer, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        foreach ((string name, View target) in new[] { (First, optimizer.First), (Second, optimizer.Second) })
        {
            if (target.IsNone)
            {
                continue;
            }

            if (file.Find(name) is not { } info || (info.Count != target.Count && info.Count != store.TrainedElements))
            {
                throw new UserException($"{path}: '{name}' with {target.Count} elements is missing; it belongs to another model");
            }

            var values = new float[info.Count];
            file.Read(name, values.AsSpan());
            FileSource.RequireFinite(path, name, values);
            store.Backend.Upload<float>(values.AsSpan((int)(info.Count - target.Count)), target);
        }
    }
}
