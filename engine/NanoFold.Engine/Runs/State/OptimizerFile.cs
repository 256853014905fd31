using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// The optimizer's slots in a safetensors file, under their names, each laid out as the parameters of its roles in the store. In files of older runs with Muon
/// <c>second</c> has elements for every trained parameter: those of the matrices, which come first, are skipped.
/// </summary>
internal static class OptimizerFile
{
    public const string Name = "optimizer.safetensors";

    public static CheckpointFile Of(Optimizer optimizer, ParameterStore store) => new(Name, stream =>
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        var download = new ModelFile.Downloads(store.Backend);
        foreach (OptimizerSlot slot in Used(optimizer))
        {
            writer.Add(slot.Name, ModelFile.TypeOf(slot.Type), [slot.Elements], start => download.Piece(slot.Piece(start / slot.Type.Size()), 0));
        }

        writer.WriteTo(stream);
    });

    public static void Read(string path, Optimizer optimizer, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        var source = new FileSource(file);
        foreach (OptimizerSlot slot in Used(optimizer))
        {
            if (file.Find(slot.Name) is not { } info || (info.Count != slot.Elements && info.Count != store.TrainedElements))
            {
                throw new UserException($"{path}: '{slot.Name}' with {slot.Elements} elements is missing; it belongs to another model");
            }

            foreach (ElementRange piece in slot.All)
            {
                source.Fill(store.Backend, slot.Name, info.Count - slot.Elements + piece.Start, slot.View(piece));
            }
        }
    }

    private static IEnumerable<OptimizerSlot> Used(Optimizer optimizer) => optimizer.Slots.Where(slot => slot.Elements > 0);
}
