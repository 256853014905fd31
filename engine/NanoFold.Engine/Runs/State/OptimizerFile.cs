using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// The optimizer's slots in a safetensors file, under their names, each laid out as the parameters of its roles in the store. In files of older runs with Muon
/// <c>second</c> has elements for every trained parameter: those of roles without the slot are skipped.
/// </summary>
internal static class OptimizerFile
{
    public const string Name = "optimizer.safetensors";

    public static CheckpointFile Of(Optimizer optimizer, ParameterStore store) => new(Name, stream =>
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        var download = new ModelFile.Downloads(store.Backend);
        foreach (OptimizerSlot slot in optimizer.Slots.Where(slot => slot.Elements > 0))
        {
            writer.Add(slot.Name, [slot.Elements], () => download.Read(slot.View(0, slot.Elements)));
        }

        writer.WriteTo(stream);
    });

    public static void Read(string path, Optimizer optimizer, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        foreach (OptimizerSlot slot in optimizer.Slots.Where(slot => slot.Elements > 0))
        {
            if (file.Find(slot.Name) is not { } info || (info.Count != slot.Elements && info.Count != store.TrainedElements))
            {
                throw new UserException($"{path}: '{slot.Name}' with {slot.Elements} elements is missing; it belongs to another model");
            }

            var values = new float[info.Count];
            file.Read(slot.Name, values.AsSpan());
            ModelFile.RequireFinite(path, slot.Name, values);
            // Roles without a slot come first in the store: they are Muon's matrices.
            store.Backend.Upload<float>(values.AsSpan((int)(info.Count - slot.Elements)), slot.View(0, slot.Elements));
        }
    }
}
