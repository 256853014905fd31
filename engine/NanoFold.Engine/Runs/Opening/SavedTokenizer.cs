using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>A tokenizer by the name of its file, its folder, a checkpoint or a run, or of a model of another program.</summary>
public static class SavedTokenizer
{
    /// <summary>Reads it; that of a checkpoint is held against its hash first.</summary>
    /// <param name="path">A tokenizer's file, a folder with one, or a run (its best checkpoint, or else its newest).</param>
    /// <exception cref="UserException">The file is missing, damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path)
    {
        if (PeftFolder.Is(path) && !Tokenizer.IsIn(path))
        {
            return Load(PeftFolder.FindBase(path));
        }

        if (ForeignModel.IsForeign(path) && !File.Exists(Path.Combine(path, Tokenizer.FileName)))
        {
            using ForeignModel foreign = ForeignModel.TryOpen(path)!;
            return foreign.Tokenizer ?? throw SavedModel.NoTokenizer(path);
        }

        if (File.Exists(Path.Combine(path, RunConfig.FileName)) && !Tokenizer.IsIn(path))
        {
            path = SavedRun.FindCheckpoint(path);
        }

        string file = Directory.Exists(path) ? Path.Combine(path, Tokenizer.FileName) : path;
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        if (Path.GetFileName(file) == Tokenizer.FileName && SavedRun.IsCheckpoint(folder) && File.Exists(Path.Combine(folder, TrainState.FileName)))
        {
            TrainState.LoadSound(folder, Tokenizer.FileName);
        }

        return Tokenizer.Load(path);
    }
}
