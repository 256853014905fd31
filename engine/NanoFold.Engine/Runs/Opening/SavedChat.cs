using NanoFold.Engine.Interchange;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Runs;

/// <summary>Where the chat template of a model lies.</summary>
internal static class SavedChat
{
    // Models that were trained on top of each other.
    private const int MostBases = 8;

    /// <summary>The template beside a checkpoint, or else in the folder of its run; null where there is none.</summary>
    /// <exception cref="UserException">A file is damaged.</exception>
    public static string? In(string folder) => (ChatTemplateFile.Read(folder) ?? (SavedRun.RunOf(folder) is { } run ? ChatTemplateFile.Read(run) : null))?.Source;

    /// <summary>The template of a model by its path, or else of the one that it was trained on top of; null where there is none.</summary>
    /// <exception cref="UserException">A file is damaged.</exception>
    public static string? Of(string path)
    {
        for (int left = MostBases; left > 0; left--)
        {
            using ForeignModel? foreign = ForeignModel.TryOpen(path);
            if (foreign is not null)
            {
                return foreign.ChatTemplate;
            }

            string folder = SavedRun.FindCheckpoint(path);
            if (In(folder) is { } found)
            {
                return found;
            }

            if (SavedRun.LoadConfig(folder).Train.Init is not { } init || !Path.Exists(init))
            {
                return null;
            }

            path = init;
        }

        return null;
    }
}
