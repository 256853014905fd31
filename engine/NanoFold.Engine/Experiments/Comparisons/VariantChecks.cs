using System.Globalization;
using System.Text;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What is wrong with the variants of a comparison as they are written.</summary>
internal static class VariantChecks
{
    private const int LongestName = 80, LongestFolder = 160;
    private const string Until = "train.until";

    // What is said of the whole comparison.
    private static readonly (string Key, string Reason)[] s_ofSet =
    [
        ("train.seed", "every variant is trained with the same seeds; name them in seeds"),
        ("train.stopAfter", "runs are carried out to their end; use --minutes to stop all of them, and the same command goes on"),
    ];

    private const string AutoBatch = "\"auto\" may be another number for each variant; give a number";

    /// <summary>The name of a variant as the beginning of a folder's: letters and digits of any script, and a few signs.</summary>
    public static string FolderOf(string name)
        => string.Concat(string.Concat(name.EnumerateRunes()).Normalize().EnumerateRunes().Select(c => Rune.IsLetterOrDigit(c) || Rune.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark || c.Value is '-' or '_' or '+' or '=' or '.' ? c.ToString() : "-")).TrimStart('.');

    /// <summary>The file and line of a variant; null where it is in none.</summary>
    public static string? PlaceOf(ComparisonFile file, string name) => file.Places.Locate(new ConfigProblem($"variants.{name}", "")).Place;

    /// <summary>Names that cannot be folders, or that are one on some systems; too few variants; a reference that is none of them.</summary>
    public static void Names(ComparisonFile file, List<ConfigProblem> problems)
    {
        void Refuse(string key, string reason) => problems.Add(file.Places.Locate(new ConfigProblem(key, reason)));
        string[] names = [.. file.Variants.Keys];
        if (names.Length < 2)
        {
            // Which ones there are may be for --variants to say.
            problems.Add(new ConfigProblem("variants", names.Length == 0
                ? "there are none; name two at least, with --variants a,b or in the file: { \"variants\": { \"a\": {}, \"b\": { … } } }"
                : $"\"{names[0]}\" alone has nothing to be compared with; name two at least"));
        }

        foreach (string name in names.Where(name => FolderOf(name).Length == 0 || name.Length > LongestName || Encoding.UTF8.GetByteCount(FolderOf(name)) > LongestFolder || name.Any(char.IsControl)))
        {
            Refuse($"variants.{name}", $"is not a name: one has letters or digits, and at most {LongestName} characters or {LongestFolder} bytes");
        }

        foreach (IGrouping<string, string> same in names.GroupBy(FolderOf, StringComparer.OrdinalIgnoreCase).Where(group => group.Count() > 1))
        {
            Refuse($"variants.{same.Last()}", $"has nearly the name of \"{same.First()}\", so that their folders would have one; give it another");
        }

        if (file.Reference is { } reference && !names.Contains(reference))
        {
            Refuse("reference", $"there is no variant \"{reference}\"; known: {string.Join(", ", names)}");
        }
    }

    /// <summary>Settings that go against what is held equal or searched, and variants that are the same.</summary>
    public static void Settings(ComparisonFile file, IReadOnlyList<string> settings, RunConfig shared, IReadOnlyList<Draft> drafts, List<ConfigProblem> problems)
    {
        void Refuse(Draft draft, string key, string reason) => problems.Add(VariantGrid.Named(file, draft.Name, draft.Changes.Places.Locate(new ConfigProblem(key, reason))));
        bool IsOption(string key) => settings.Any(setting => setting.StartsWith($"{key}=", StringComparison.Ordinal));
        void RefuseBase(string key, string reason) => problems.Add(IsOption(key) ? new ConfigProblem(key, reason) : file.Base.Places.Locate(new ConfigProblem(key, reason)));
        foreach ((string key, string reason) in s_ofSet)
        {
            if (IsOption(key) || Draft.Sets(file.Base, key))
            {
                RefuseBase(key, reason);
            }

            foreach (Draft draft in drafts.Where(draft => draft.Sets(key)))
            {
                Refuse(draft, key, reason);
            }
        }

        foreach (Draft draft in drafts)
        {
            if (GoalCheck.Problem(draft.Config) is { } goal)
            {
                // Of the base it is said once.
                if (draft.Sets(Until))
                {
                    Refuse(draft, Until, goal);
                }
                else
                {
                    RefuseBase(Until, goal);
                }
            }

            if (file.LearningRates.Count > 0 && draft.Sets("train.learningRate"))
            {
                Refuse(draft, "train.learningRate", "learningRates are tried for every variant; leave one of them out");
            }

            if (file.WeightDecays.Count > 0 && draft.Sets("train.weightDecay"))
            {
                Refuse(draft, "train.weightDecay", "weightDecays are tried for every variant; leave one of them out");
            }

            foreach (string limit in RunLengths.Limits.Where(limit => file.Equal != EqualKind.None && draft.Sets(limit)))
            {
                Refuse(draft, limit, $"equal = {Word(file.Equal)} decides how long variants are trained; set it in the base, or equal = none");
            }

            if (shared.Train.Batch > 0 && draft.Config.Train.Batch == 0)
            {
                Refuse(draft, "train.batch", AutoBatch);
            }
        }

        if (shared.Train.Batch == 0)
        {
            RefuseBase("train.batch", AutoBatch);
        }

        if (file.Equal == EqualKind.Seconds && shared.Train.Minutes == 0 && file.Budget is null)
        {
            problems.Add(file.Places.Locate(new ConfigProblem("equal", "\"seconds\" needs the time of a run: budget = 60, in seconds, or train.minutes in the base")));
        }
        else if (file.Equal is not EqualKind.Seconds and not EqualKind.None && shared.Train.Minutes > 0)
        {
            RefuseBase("train.minutes", $"runs that time ends have not the same number of tokens, which equal = {Word(file.Equal)} is about; give train.steps or train.tokens, or equal = seconds");
        }

        var seen = new Dictionary<string, string>();
        foreach (Draft draft in drafts)
        {
            if (!seen.TryAdd(draft.Text, draft.Name))
            {
                problems.Add(file.Places.Locate(new ConfigProblem($"variants.{draft.Name}", $"differs in nothing from \"{seen[draft.Text]}\"; leave one of them out")));
            }
        }
    }

    private static string Word(EqualKind equal) => ConfigSchema.Choices(typeof(EqualKind))[(int)equal];
}
