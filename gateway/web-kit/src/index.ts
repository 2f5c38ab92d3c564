// What the kit offers to the two apps.
export * from './model';
export { messageOf, Problem, problemOf, unreachable } from './problem';
export { noteServerDate, serverNow, useNow } from './clock';
export { Link, LinkProvider, type AnchorProps } from './link';
export { Mark } from './brand/Mark';
export { KitProvider } from './theme/KitProvider';
export { applyDensity, DensityChoice, ThemeChoice } from './theme/Preferences';
export { counted, formatBytes, formatCount, formatNumber, formatShare } from './format/number';
export { formatAge, formatAgo, formatDelay, formatSpan, formatStamp, formatWhen } from './format/time';
export { valueSentence, valueText } from './format/value';
export { qualityWords } from './words/quality';
export { isActive, needsAcknowledgement, PRIORITIES, PRIORITY_WORDS } from './words/alarm';
export { isFinal, priorityName, authorName, outcomeSentence } from './words/command';
export {
  BREAKER_WORDS,
  DEVICE_WORDS,
  LANE_WORDS,
  LINK_WORDS,
  linkSentence,
  type StateWord,
  type Tone,
} from './words/health';
export { may, PERMISSION_WORDS, ROLE_WORDS, WHO_CAN_OPERATE, type Permission } from './words/role';
export { Value } from './value/Value';
export { Age } from './value/Age';
export { QualityBadge } from './value/QualityBadge';
export { LimitsBar } from './value/LimitsBar';
export { AlarmBadge, AlarmShape } from './status/AlarmBadge';
export { StatusDot } from './status/StatusDot';
export { ShareBar, type Share } from './status/ShareBar';
export { LiveFeed, type FeedStatus } from './live/feed';
export type { LiveDialect, LiveReading } from './live/protocol';
export { LiveProvider, newest, useFeedStatus, useLiveReading, useLiveTopic } from './live/LiveProvider';
export { useAnnounce } from './states/announce';
export { EmptyState, ErrorState, NoPermission } from './states/states';
export { OfflineBanner, useCutOff } from './states/OfflineBanner';
export { BoneBlock, BoneRows } from './states/Bones';
export { DataTable, useIsPhone, type Column } from './table/DataTable';
export { parseRange, rangeParams, resolveRange, type TrendRange } from './chart/range';
export type { Marker } from './chart/options';
export { QuarantinePanel, type QuarantinedRow } from './quarantine/QuarantinePanel';
export { TrendPanel } from './chart/TrendPanel';
export { WriteDialog } from './write/WriteDialog';
export type { WriteRequest } from './write/request';
export { AlarmList, type ListedAlarm } from './alarms/AlarmList';
export { AcknowledgeDialog } from './alarms/AcknowledgeDialog';
export { AlarmCounts } from './alarms/AlarmCounts';
export { AuditLog, type AuditPages } from './audit/AuditLog';
export { auditFilterOf, auditQuery } from './audit/AuditFilters';
export { When, Who } from './audit/Who';
export { ChainState } from './audit/ChainState';
export { auditPlace, auditSentence } from './words/audit';
export { Differences, type Difference } from './configuration/Differences';
export { Buttons, DocumentField, OpenFile, Problems, TERMS, TermsFields } from './configuration/Document';
export { Trial } from './configuration/Trial';
export { ownSubject } from './words/own';
export { PointTable } from './point/PointTable';
export { PointHead, usePointReading } from './point/PointHead';
export { PriorityArray, Why, type PointBackground } from './point/Why';
export { WhyDrawer } from './point/WhyDrawer';
export { WriteHistory } from './point/WriteHistory';
export { AppShell, type NavItem } from './shell/AppShell';
export { Facts, PageHeader, Panel, type Fact } from './shell/Page';
export { Permissions } from './shell/Permissions';
export { SearchDialog, type Hit } from './shell/SearchDialog';
export { Gate, GateProblem } from './shell/Gate';
export { Choices } from './shell/Choices';
export { Chain, type Hop } from './shell/Chain';
