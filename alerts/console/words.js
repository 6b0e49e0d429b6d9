// Every text of the console, Vietnamese first. A missing English text shows in the tests.
// "Cảnh báo" is an alert; "báo động" (BĐ) only the official flood levels. Views with many texts keep theirs in a
// file of their own, words-NAME.js, whose table is spread into WORDS below.

import { ALERTS } from "./words-alerts.js";
import { PAGES } from "./words-pages.js";

export const LANGUAGES = ["vi", "en"];

export const WORDS = {
  ...ALERTS,
  ...PAGES,
  title: ["Giám sát ngập lụt và môi trường Huế", "Huế flood and environment watch"],
  skip: ["Đến nội dung chính", "Skip to the content"],
  nav_watch: ["Theo dõi", "Watch"],
  nav_history: ["Lịch sử", "History"],
  nav_data: ["Dữ liệu", "Data"],
  nav_handover: ["Giao ca", "Handover"],
  theme: ["Giao diện sáng hay tối", "Light or dark"],
  theme_system: ["Theo máy", "As the system"],
  theme_light: ["Sáng", "Light"],
  theme_dark: ["Tối", "Dark"],
  view_unknown: ["Không có trang này.", "There is no such page."],
  view_not_loaded: ["Không tải được trang này.", "This page could not be loaded."],
  login_title: ["Đăng nhập", "Log in"],
  login_hint: [
    "Dán mã truy cập của bạn (hw_…). Mã do người quản trị cấp và đứng tên bạn.",
    "Paste your access token (hw_…). The administrator makes it, and it bears your name.",
  ],
  token: ["Mã truy cập", "Access token"],
  log_in: ["Đăng nhập", "Log in"],
  log_out: ["Đăng xuất", "Log out"],
  token_refused: ["Mã này không có hiệu lực.", "This token is not valid."],
  no_server: ["Không liên lạc được với máy chủ.", "The server cannot be reached."],
  exercise: ["DIỄN TẬP", "EXERCISE"],
  exercise_line: ["Số liệu mô phỏng, không phải thật", "Simulated data, not the real situation"],
  test: ["THỬ NGHIỆM", "TEST"],
  clock_label: ["Số liệu đến", "Data up to"],
  zone: ["UTC+7", "UTC+7"],

  live: ["Trực tiếp", "Live"],
  connecting: ["Đang kết nối", "Connecting"],
  not_live: ["Mất kết nối, đang nối lại", "Not live, reconnecting"],
  blind: ["Chưa nhìn đủ", "Partly blind"],
  unknown: ["Không rõ", "Unknown"],
  unknown_banner: [
    "KHÔNG RÕ TÌNH HÌNH. Các giá trị dưới đây là lần cuối nhận được, không phải hiện tại.",
    "THE SITUATION IS UNKNOWN. Values below are the last ones received, not the present.",
  ],
  not_live_banner: ["Mất luồng trực tiếp, đang nối lại.", "The live stream is lost, reconnecting."],
  blind_banner: [
    "Có thể thiếu số liệu: chưa thấy cảnh báo không có nghĩa là an toàn.",
    "Readings may be missing: no alert shown does not mean safe.",
  ],
  since: ["từ", "since"],
  committed: ["ghi nhận lần cuối", "last commit"],
  backlog: ["số liệu đang chậm", "data lag behind by"],

  reason_stream_lost: ["mất luồng trực tiếp tới máy chủ", "the live stream to the server is lost"],
  reason_database_unreachable: ["không đọc được cơ sở dữ liệu", "the database does not answer"],
  reason_commit_too_old: ["dịch vụ thu nhận đã ngừng ghi", "ingest has stopped committing"],
  reason_no_commit_yet: ["dịch vụ thu nhận chưa ghi lần nào", "ingest has not committed yet"],
  reason_feed_stalled: ["máy chủ bị treo", "the feed is stalled"],
  reason_feed_lost: ["mất máy chủ cảnh báo", "the feed is lost"],
  reason_feed_stopped: ["máy chủ cảnh báo đã dừng", "the feed was stopped"],
  reason_starting: ["đang khởi động", "starting"],
  reason_no_broker: ["mất kết nối với máy chủ MQTT nhận số liệu", "no connection to the MQTT broker"],
  reason_backlog_unread: ["đang nhận bù số liệu tồn đọng", "a backlog is being read"],
  reason_alerts_undecided: ["không xét được cảnh báo", "alerts could not be evaluated"],
  reason_database_was_away: ["cơ sở dữ liệu vừa gián đoạn", "the database was away"],

  alerts: ["Cảnh báo đang mở", "Open alerts"],
  no_alerts: ["Không có cảnh báo nào đang mở.", "No alert is open."],
  no_alerts_unknown: [
    "Không rõ có cảnh báo nào đang mở hay không.",
    "It is not known whether an alert is open.",
  ],
  rivers: ["Mực nước sông", "River levels"],
  streets: ["Ngập đường phố", "Street flooding"],
  others: ["Mưa, hồ chứa và trạm khác", "Rain, reservoirs and others"],
  events: ["Diễn biến", "Events"],
  no_events: ["Chưa có diễn biến nào.", "Nothing has happened yet."],

  kind_raised: ["Mở", "Raised"],
  kind_escalated: ["Tăng cấp", "Escalated"],
  kind_lowered: ["Giảm cấp", "Lowered"],
  kind_cleared: ["Kết thúc", "Cleared"],
  kind_cancelled: ["Hủy vì phát nhầm", "Cancelled in error"],
  kind_reminded: ["Nhắc lại", "Still open"],
  kind_late: ["Số liệu đến muộn", "Learnt late"],
  kind_revised: ["Đính chính", "Revised"],
  kind_acknowledged: ["Đã tiếp nhận", "Acknowledged"],
  kind_assigned: ["Đã phân công", "Assigned"],
  kind_commented: ["Ghi chú", "Comment"],
  kind_shelved: ["Tạm ẩn", "Shelved"],
  kind_unshelved: ["Hết tạm ẩn", "No longer shelved"],
  kind_approved: ["Đã duyệt nội dung", "Text approved"],
  kind_unanswered: ["Chưa ai tiếp nhận", "Nobody has acknowledged"],
  kind_tested: ["Tin thử hằng ngày", "Daily test"],
  acknowledged_by: ["{by} đã tiếp nhận", "acknowledged by {by}"],
  acknowledged_worse: ["{by} đã tiếp nhận ở cấp thấp hơn", "acknowledged by {by} at a lower level"],
  assigned_to: ["giao cho {to}", "assigned to {to}"],
  shelved_until: ["{by} tạm ẩn đến {until}", "shelved by {by} until {until}"],
  commented: ["{count} ghi chú", "comments: {count}"],
  clearing: ["đang chờ kết thúc", "about to clear"],

  opened: ["mở lúc", "opened"],
  present: ["hiện tại", "now"],
  last_known: ["lần cuối", "last known"],
  unverified: ["chưa kiểm chứng", "unverified"],
  suspect: ["nghi ngờ", "suspect"],
  failed: ["số liệu hỏng", "bad reading"],
  delay: ["báo chậm", "told late by"],
  evidence: ["Số đo làm căn cứ", "Readings behind it"],
  rule: ["Quy tắc", "Rule"],

  above: ["trên {level} {by}", "above {level} by {by}"],
  below: ["dưới {level} {by}", "below {level} by {by}"],
  no_levels: ["chưa công bố mức BĐ", "no published levels"],
  not_referenced: ["chưa quy chiếu", "not referenced"],
  rising: ["đang lên", "rising"],
  falling: ["đang xuống", "falling"],
  steady: ["ít thay đổi", "steady"],
  to_next: ["còn {by} tới {level}", "{by} to {level}"],

  fresh: ["đúng giờ", "on time"],
  late: ["chậm", "late"],
  no_data: ["mất tín hiệu", "no data"],
  never: ["chưa có số liệu", "never reported"],
  ago: ["trước", "ago"],
  just_now: ["vừa xong", "just now"],

  not_monitored: ["không giám sát", "not monitored"],
  maintenance: ["{owner} đang bảo trì đến {until}: {reason}", "{owner} at work until {until}: {reason}"],

  station: ["Trạm", "Station"],
  quantity: ["Đại lượng", "Quantity"],
  value: ["Giá trị", "Value"],
  time: ["Lúc", "At"],
  signal: ["Tín hiệu", "Signal"],

  property_water_level: ["mực nước", "water level"],
  property_rainfall: ["lượng mưa", "rainfall"],
  property_inflow: ["lưu lượng về", "inflow"],
  property_outflow: ["lưu lượng xả", "outflow"],
  property_reservoir_level: ["mực nước hồ", "reservoir level"],
  property_pm2_5: ["bụi PM2.5", "PM2.5"],
  property_pm10: ["bụi PM10", "PM10"],
  property_battery: ["pin", "battery"],
  property_battery_voltage: ["pin", "battery"],
  property_rssi: ["RSSI", "RSSI"],
  property_snr: ["SNR", "SNR"],
  property_gateways: ["trạm thu LoRaWAN", "LoRaWAN gateways"],
  property_f_cnt: ["số thứ tự gói tin", "frame counter"],

  rain_sums: ["Tổng lượng mưa", "Sums of rain"],
  window_sum: ["{hours} giờ", "{hours} h"],
  rain_day: ["từ {since}", "since {since}"],
  vn_aqi_hourly: ["VN_AQI giờ", "hourly VN_AQI"],
  vn_aqi_daily: ["VN_AQI ngày", "daily VN_AQI"],
  at_least: ["ít nhất {value}", "at least {value}"],
  coverage: ["độ phủ {percent}\u00a0%", "{percent}% covered"],
  not_known: ["không rõ", "unknown"],

  hour: ["giờ", "h"],
  legend: [
    "Màu theo mức của từng trạm: mức I, II, III. Kẻ sọc xám: số liệu cũ.",
    "Colours follow each station's levels I, II, III. Grey hatching: old data.",
  ],
  footer: [
    "Thông tin cho người trực; không thay lệnh của cấp có thẩm quyền.",
    "Information for the operator on duty; it replaces no order of the authorities.",
  ],
};

let index = 0;

export function setLanguage(language) {
  index = Math.max(0, LANGUAGES.indexOf(language));
}

export const language = () => LANGUAGES[index];

// A property of the catalogue in words; one that has none here by its own name.
export const property = (name) => WORDS[`property_${name}`]?.[index] ?? name;

// What somebody may do, as a title; on a button that asks further it ends in three dots.
export const deed = (name) => word(`act_${name}`).replace("…", "");

// A CAP severity in words.
export const severity = (name) => word(`severity_${name}`);

// The text under a key; a key that is not known is shown as it is, so that nothing is hidden.
export const word = (key) => WORDS[key]?.[index] ?? key;

// The same with names put into its braces.
export const said = (key, names) => word(key).replace(/\{(\w+)\}/g, (brace, name) => names[name] ?? brace);

// Why we cannot see, in words; the writer's own text where the dictionary has none.
export const reason = (text) => WORDS[`reason_${text}`]?.[index] ?? text;

// One of {vi, en} as the server sends it.
export const pick = (text) => text?.[language()] ?? text?.vi ?? "";
