using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>The optimiser's moments in a safetensors file: two vectors laid out as the parameter store.</summary>
internal static class OptimizerFile
{
    public const string Name = "optimizer.safetensors";
    private const string First = "first";
    private const string Second = "second";

    public static CheckpointFile Of(Optimizer optimizer, ParameterStore store) => new(Name, stream =>
    {
        var writer = new SafeTensorsWriter();
        var download = new ModelFile.Downloads(store.Backend);
        writer.Add(First, [store.TrainedElements], () => download.Read(optimizer.First));
        writer.Add(Second, [store.TrainedElements], () => download.Read(optimizer.Second));
        writer.WriteTo(stream);
    });

    public static void Read(string path, Optimizer optimizer, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        foreach ((string name, Kernels.View target) in new[] { (First, optimizer.First), (Second, optimizer.Second) })
        {
            if (file.Find(name) is not { } info || info.Count != store.TrainedElements)
            {
                throw new UserException($"{path}: '{name}' with {store.TrainedElements} elements is missing; it belongs to another model");
            }

            var values = new float[store.TrainedElements];
            file.Read(name, values.AsSpan());
            ModelFile.RequireFinite(path, name, values);
            store.Backend.Upload<float>(values, target);
        }
    }
}
